"""The policy store as metrics: stagings, gates, flags, what waits. Every door tells the same, so take the maximum.

Read every few seconds, and told of only while it is fresh: of a store that is away the door says that, and no numbers.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.overview import Overview, Waiting, overview
from spendgate.reconcile.gate import State
from telemetry.labels import LABELS

log = logging.getLogger(__name__)

EVERY = "SPENDGATE_METRICS_S"
EVERY_S = 15.0
POLICY = ["tenant", "policy", "stage"]


class StoreMetrics(Collector):
    """The last reading. ``clock``: seconds since the epoch."""

    def __init__(self, database: Database, every_s: float = EVERY_S, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self.every_s = every_s
        self.clock = clock
        self._read_s = float("-inf")
        self._found: Overview | None = None
        self._is_up = False

    async def keep_looking(self) -> None:
        """Until it is cancelled."""
        REGISTRY.register(self)
        try:
            while True:
                await asyncio.to_thread(self.look)
                await asyncio.sleep(self.every_s)
        finally:
            REGISTRY.unregister(self)

    def look(self) -> None:
        """Read once; a store that is away is told of as that."""
        try:
            with self.database.read() as connection:
                self._found = overview(connection)
            self._read_s, self._is_up = self.clock(), True
        except StoreAway as error:
            if self._is_up:
                log.warning("the store cannot be told of: %s", error)
            self._is_up = False

    def describe(self) -> Iterable[Metric]:
        """Only the name of the first: what follows depends on the store."""
        return [GaugeMetricFamily("spendgate_policy_store_up", "")]

    def collect(self) -> Iterator[Metric]:
        """What was read last, if that is not too long ago."""
        yield _one("policy_store_up", "1 where the policy store answered this door", float(self._is_up))
        if self._found is None or not self._is_up:
            return
        yield _one("policy_store_read_timestamp_seconds", "When the store was last read", self._read_s)
        yield from _stagings(self._found)
        yield from _gates(self._found)
        yield from _flags(self._found)
        yield from self._waiting(self._found)

    def _waiting(self, found: Overview) -> Iterator[Metric]:
        for name, words, by_tenant in (
            ("reviews", "Reviews that nobody has answered", found.reviews),
            ("submitted_stagings", "Stagings that wait for an approver", found.submitted),
        ):
            number = GaugeMetricFamily(f"spendgate_{name}_waiting", words, labels=["tenant"])
            oldest = GaugeMetricFamily(
                f"spendgate_{name}_oldest_seconds", "How long the first waits", labels=["tenant"]
            )
            for tenant, waiting in _folded(by_tenant.items()):
                number.add_metric([tenant], waiting.number)
                oldest.add_metric([tenant], self._age_s(waiting))
            yield from (number, oldest)
        yield _one("outbox_waiting_messages", "Messages of the store that are not on Kafka yet", found.outbox.number)
        yield _one("outbox_oldest_seconds", "How long the first of them waits", self._age_s(found.outbox))

    def _age_s(self, waiting: Waiting) -> float:
        return 0.0 if waiting.since_ms is None else max(0.0, self.clock() - waiting.since_ms / 1000)


def _folded(waiting: Iterable[tuple[str, Waiting]]) -> Iterable[tuple[str, Waiting]]:
    """By label; tenants without one of their own together."""
    found: dict[str, Waiting] = {}
    for tenant, each in waiting:
        label = LABELS.tenant(tenant)
        known = found.get(label, Waiting(0, None))
        since = [ms for ms in (known.since_ms, each.since_ms) if ms is not None]
        found[label] = Waiting(known.number + each.number, min(since, default=None))
    return found.items()


def _one(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"spendgate_{name}", words, value=value)


def _family(name: str, words: str, labels: list[str], values: Iterable[tuple[list[str], float]]) -> Metric:
    """Of several under the same labels the highest."""
    found: dict[tuple[str, ...], float] = {}
    for names, value in values:
        found[tuple(names)] = max(value, found.get(tuple(names), value))
    made = GaugeMetricFamily(f"spendgate_{name}", words, labels=labels)
    for names_, value in found.items():
        made.add_metric(names_, value)
    return made


def _stage(state: str) -> str:
    return "enforced" if state == "enforced" else "shadow"


def _stagings(found: Overview) -> Iterator[Metric]:
    named = [(list(LABELS.policy(each.tenant, each.policy)), each) for each in found.stagings]
    yield _family(
        "staging_state", "1 for the state of a policy's live staging", ["tenant", "policy", "state"],
        [([*names, each.state], 1) for names, each in named],
    )  # fmt: skip
    placed = [([*names, _stage(each.state)], each) for names, each in named]
    yield _family(
        "reconciliation_timestamp_seconds", "When a staging's last round was recorded", POLICY,
        [(names, each.recorded_ms / 1000) for names, each in placed if each.recorded_ms is not None],
    )  # fmt: skip
    yield _family(
        "reconciliation_replayed_calls", "Calls that the last round replayed", POLICY,
        [(names, each.replayed) for names, each in placed if each.replayed is not None],
    )  # fmt: skip
    yield _family(
        "reconciliation_differing_calls", "Of those, the ones whose decision differs", POLICY,
        [(names, each.differing) for names, each in placed if each.differing is not None],
    )  # fmt: skip
    yield _family(
        "certificate_expiry_timestamp_seconds", "When a staging's certificate runs out", POLICY,
        [(names, each.certificate_ends_ms / 1000) for names, each in placed if each.certificate_ends_ms is not None],
    )  # fmt: skip


def _gates(found: Overview) -> Iterator[Metric]:
    """One series for each state, of which one is 1; a staging without a round is being observed."""
    values: list[tuple[list[str], float]] = []
    for each in found.stagings:
        names = [*LABELS.policy(each.tenant, each.policy), _stage(each.state)]
        values += [([*names, state], float(state == (each.gate or "observing"))) for state in get_args(State)]
    yield _family("gate_state", "1 for the state of a staging's gate", [*POLICY, "state"], values)


def _flags(found: Overview) -> Iterator[Metric]:
    named = [
        ([each.level, *(LABELS.policy(each.tenant, each.policy) if each.policy else (each.tenant, ""))], each)
        for each in found.flags
    ]
    labels = ["level", "tenant", "policy"]
    yield _family("flag_on", "1 for a flag that is on", labels, [(names, each.is_on) for names, each in named])
    yield _family(
        "flag_changed_timestamp_seconds", "When a flag was last turned", labels,
        [(names, each.changed_ms / 1000) for names, each in named],
    )  # fmt: skip
    yield _family(
        "demoted_timestamp_seconds", "When a policy's flag was put out that nobody has turned off", labels[1:],
        [(names[1:], each.changed_ms / 1000) for names, each in named if each.by_itself and not each.is_on],
    )  # fmt: skip


def every_s_from_environment() -> float:
    """SPENDGATE_METRICS_S: seconds between readings. Raises ValueError."""
    said = os.environ.get(EVERY) or str(EVERY_S)
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 3600:
        raise ValueError(f"{EVERY}: expected seconds from 0.1 to 3600")
    return seconds
