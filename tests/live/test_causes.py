"""Each cause of a difference, put into the running system and seen named by a reconciliation of what it recorded.

What the law keeps from coming about, another price, window, set of stagings or engine, is published beside the right
decision, as a worker that is wrong would publish it.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from dev.stack import Stack
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.ledger_errors import LedgerMissing
from spendgate.model.decision import Decision, read_decisions
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.reconciliation import Reconciliation
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.run import reconcile
from tests.live.samples import budget, call, ms, policy
from tests.live.waiting import until
from tests.live.world import World
from window_counters.keys import Keys, keys_of
from window_counters.protocol import PartitionId

YEARLY = policy("yearly", budget("1000", {"calendar": "year", "timezone": "UTC"}, ["team"]))
STAGING = "yearly-1"
DAY = timedelta(days=1)
CORRECTED_NANO_USD = 400_000
TEAMS = ("altered", "lost", "corrected")


def tenants(count: int, partitions: int) -> list[str]:
    """Names that live in as many partitions."""
    found: dict[int, str] = {}
    for number in range(1_000):
        name = f"tenant-{number}"
        found.setdefault(partition_of(name.encode(), partitions), name)
    return list(found.values())[:count]


class Causes:
    """One world for all of them. ``counted``: its counters are touched, and its decisions published again otherwise;
    ``late``: its clock is; ``again``: its identities are forgotten; ``skipped``: its mark is set too far."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counted, self.late, self.again, self.skipped = tenants(4, world.topics.events.partitions)
        self.now = datetime.now(UTC)

    def run(self) -> None:
        """All of it, from the first call to the ledger that has recorded the last."""
        world = self.world
        names = (self.counted, self.late, self.again, self.skipped)
        world.send(self.earlier_calls())
        for tenant in names:
            world.stage(tenant, YEARLY, STAGING)
        worker = world.worker()
        world.send(self.first_calls())
        self.refused_offset = self.refuse()
        world.settle()
        worker.terminate()
        self.forge()
        with Redis.from_url(world.redis_url) as redis:
            self.touch(redis)
        world.worker()
        world.send(self.later_calls())
        world.settle()
        for role in ("ledger-events", "ledger-decisions", "ledger-rejections"):
            world.recorder(role)
        until(self.recorded, "all of it in the ledger", 240, lambda: self.world.recorders[1].log()[-2000:])

    def earlier_calls(self) -> Iterator[Event]:
        """Before anything is staged: the seed has them as corrected."""
        yield self.call(self.counted, "corrected-0", "corrected")
        yield self.correction(self.call(self.counted, "corrected-0", "corrected"))

    def first_calls(self) -> Iterator[Event]:
        teams = ("altered", "lost", "right")
        yield from (self.call(self.counted, f"{team}-{n}", team) for team in teams for n in range(6))
        yield from (self.call(tenant, "first", "red") for tenant in (self.late, self.again, self.skipped))

    def call(self, tenant: str, name: str, team: str) -> Event:
        return msgspec.structs.replace(call(tenant, name, self.now), team=team)

    def correction(self, of: Event) -> Event:
        return Event(id=f"correction-{of.id}", source=of.source, tenant=of.tenant, time=of.time, kind="correction",
                     refers_to=of.id, cost_nano_usd=CORRECTED_NANO_USD)  # fmt: skip

    def refuse(self) -> int:
        """A record that is no event; where it stands."""
        self.world.send_raw(self.counted.encode(), b'{"id": "none"}')
        return self.world.broker.ends[self.world.partition(self.counted)] - 1

    def keys(self, tenant: str) -> Keys:
        return keys_of(PartitionId(self.world.topics.events.name, self.world.partition(tenant)))

    def touch(self, redis: "Redis") -> None:
        """What somebody else does to Redis while the worker is down."""
        (slot,) = redis.keys(self.keys(self.counted).slot(f"{self.counted} {STAGING} 0 ") + b"*")
        cost = self.call(self.counted, "any", "red").cost_nano_usd or 0
        for kind in "ar":
            redis.hincrby(slot, f"{kind}0 team=altered", 7)
            redis.hincrby(slot, f"{kind}0 team=corrected", cost - CORRECTED_NANO_USD)  # a seed without it
            redis.hdel(slot, f"{kind}0 team=lost")
        name = self.keys(self.late).tenant(self.late)
        document = msgspec.json.decode(redis.get(name) or b"")
        redis.set(name, msgspec.json.encode({**document, "late_ms": ms(self.now + DAY)}))
        hour = ms(self.now) // 3_600_000
        redis.delete(*(self.keys(self.again).identities(self.again, each) for each in range(hour - 30, hour + 2)))
        self.world.send([self.call(self.skipped, "unseen", "red")])
        last = self.world.broker.ends[self.world.partition(self.skipped)] - 1
        redis.set(self.keys(self.skipped).mark, f"{self.world.broker.topic_id()}:{last}")

    def later_calls(self) -> Iterator[Event]:
        yield from (self.call(self.counted, f"{team}-later", team) for team in TEAMS)
        yield self.call(self.late, "later", "red")
        yield self.call(self.again, "first", "red")
        yield self.call(self.skipped, "later", "blue")

    def forge(self) -> None:
        """What a worker that is wrong would publish."""
        right = {each.event_id: each for each in self.decisions() if each.tenant == self.counted}
        for number, forged in enumerate(forgeries()):
            self.publish(
                msgspec.structs.replace(right[f"call-right-{number}"], **forged(right[f"call-right-{number}"]))
            )
        some = right["call-right-5"]
        at = msgspec.structs.replace(some.position, offset=self.refused_offset, index=0)
        self.publish(msgspec.structs.replace(some, event_id="none", position=at))
        self.world.broker.flush()

    def publish(self, decision: Decision) -> None:
        topic = self.world.topics.decisions
        self.world.broker.send(topic, decision.tenant.encode(), msgspec.json.encode([decision]))

    def decisions(self) -> list[Decision]:
        rows = self.world.broker.read(self.world.topics.decisions)
        return [each for row in rows for each in read_decisions(row.value or b"") or ()]

    def recorded(self) -> bool:
        try:
            ledger = Ledger.open(self.world.ledger)
        except LedgerMissing:
            return False
        topic_id = self.world.broker.topic_id()
        ends = self.world.broker.ends.items()
        if not all(ledger.covered("events", topic_id, partition) == end - 1 for partition, end in ends):
            return False
        wanted: dict[TableName, int] = {
            "decisions": len(self.decisions()), "rejections": len(self.world.broker.read(self.world.topics.rejected)),
        }  # fmt: skip
        return all(ledger.rows(name) == rows for name, rows in wanted.items())

    def found(self, tenant: str) -> Reconciliation:
        return reconcile(Ledger.open(self.world.ledger), self.world.policies, Wanted(tenant))


def forgeries() -> Iterable[Any]:
    """By call, what another decision of it says."""
    yield lambda right: {"cost_nano_usd": (right.cost_nano_usd or 0) + 1}
    yield lambda right: {"reasons": tuple(_moved(each) for each in right.reasons)}
    yield lambda right: {"judged": msgspec.structs.replace(right.judged, set="0" * 32)}
    yield lambda _: {"engine_version": "1+tzdata.2024.1"}
    yield lambda _: {"verdict": "deny"}


def _moved(reason: Any) -> Any:
    ends = {name: getattr(reason, name) + DAY for name in ("window_start", "window_end")}
    return msgspec.structs.replace(reason, **ends)


def named(found: Reconciliation) -> dict[tuple[str, str], int]:
    return {(each.kind, each.cause): each.calls for each in found.differences}


@pytest.mark.timeout(600)
def test_each_cause_that_is_put_into_the_running_system_is_named(stack: Stack, tmp_path: Path) -> None:
    world = World(stack.bootstrap, stack.redis_url, tmp_path)
    try:
        causes = Causes(world)
        causes.run()
        again = "duplicate_differs"
        assert named(causes.found(causes.counted)) == {
            ("mismatched", "counter_altered"): 1, ("mismatched", "counter_lost"): 1, ("mismatched", "corrected"): 1,
            (again, "repriced"): 1, (again, "window_edge"): 1, (again, "activation_skew"): 1,
            (again, "evaluator_changed"): 1, (again, "unexplained"): 1, ("extra", "rejected"): 1,
        }  # fmt: skip
        assert named(causes.found(causes.late)) == {("mismatched", "late"): 1}
        assert named(causes.found(causes.again)) == {("extra", "duplicate"): 1}
        assert named(causes.found(causes.skipped)) == {("missing", "unexplained"): 1}
    finally:
        world.close()
