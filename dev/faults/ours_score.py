"""What a fault has left of our system: every decision, every counter and the ledger, against an offline replay and
against a plain sum that knows nothing of the engine."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from redis import Redis

from agents.delivery import Message
from dev.faults.load import TENANTS, ZONE
from dev.faults.ours import Ours
from dev.faults.reconciled import reconciled
from dev.faults.score import Score
from dev.trial.owed import DECIDED_AT, Owed
from dev.trial.recount import total_in_log, total_recorded
from dev.trial.verifying import counter_differences
from spendgate.model.decision import Decision
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

_decisions = msgspec.json.Decoder(list[Decision]).decode
SKEW = timedelta(minutes=5)
DAILY, LIFETIME_RULE, DAY_RULE = "daily-1", 0, 1


def scored(ours: Ours, recoveries: Sequence[float], *, all_on_time: bool) -> Score:
    """Compare everything. ``all_on_time``: no call is late, so that plain sums hold."""
    log, topics = ours.world.log(ours.gone), ours.world.topics
    owed = ours.world.owed(log)
    published = [
        each for message in ours.world.broker.read(topics.decisions) for each in _decisions(message.value or b"[]")
    ]
    wrong, differing, doubled = _judged(owed, published)
    found = reconciled(ours, TENANTS)
    lost = len(owed.decisions.keys() - {each.decision_id for each in published})
    errors = counter_differences(owed, topics.events.name, ours.world.redis_url)
    plain = _plain_error(ours, log) if all_on_time else 0
    score = Score(
        events=len(owed.decisions) + owed.duplicates,
        decisions=len(owed.decisions),
        wrong_decisions=wrong,
        events_lost=lost + max(0, len(owed.decisions) - found.replayed),
        events_doubled=doubled + max(0, found.replayed - len(owed.decisions)),
        decisions_differing=differing,
        counter_error_nano_usd=errors + plain,
        overshoot_nano_usd=_overshoot(ours),
        recovered_s=round(max(recoveries, default=0.0), 1),
        cause=found.cause,
        cause_named=found.agrees,
        restarts=ours.restarts,
        notes=found.notes,
    )
    if not score.is_clean:
        score.notes = [*score.notes, *(fault[:300] for fault in ours.world.faults(owed)[:3])]
    return score


def _judged(owed: Owed, published: Iterable[Decision]) -> tuple[int, int, int]:
    """How many calls have a wrong decision, how many copies differ from the first, how many calls were decided at two
    places of which one owes nothing."""
    wrong: set[str] = set()
    first: dict[str, Decision] = {}
    differing = 0
    places: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for decision in published:
        plain = msgspec.structs.replace(decision, decided_at=DECIDED_AT)
        if owed.decisions.get(decision.decision_id) != plain:
            wrong.add(decision.decision_id)
        if first.setdefault(decision.decision_id, plain) != plain:
            differing += 1
        places[decision.tenant, decision.source, decision.event_id].add(decision.decision_id)
    allowed = Counter((each.tenant, each.source, each.event_id) for each in owed.decisions.values())
    return len(wrong), differing, sum(max(0, len(ids) - allowed[call]) for call, ids in places.items())


def _overshoot(ours: Ours) -> int:
    """What the monthly caps would have admitted beyond them, by the counters themselves."""
    policy = next(each for each in ours.policies if each.metadata.name == "monthly")
    (cap,) = [rule.budget.cap_nano_usd for rule in policy.spec.rules if rule.budget is not None]
    over = 0
    for tenant in TENANTS:
        id_ = PartitionId(ours.world.topics.events.name, ours.world.partition(tenant))
        with Redis.from_url(ours.world.redis_url) as client:
            for key in client.scan_iter(match=keys_of(id_).slot(f"{tenant} monthly-1 0 ") + b"*", count=10_000):
                cells = client.hgetall(key).items()
                over += sum(max(0, int(value) - cap) for name, value in cells if name.startswith(b"a"))
    return over


def _plain_error(ours: Ours, log: Sequence[Message]) -> int:
    """By how much what budgets have recorded is off from plain sums: of all calls, and of those of each day."""
    error = 0
    for tenant in TENANTS:
        id_ = PartitionId(ours.world.topics.events.name, ours.world.partition(tenant))
        recorded = total_recorded(ours.world.redis_url, id_, tenant, DAILY, LIFETIME_RULE)
        error += abs(recorded - total_in_log(log, tenant))
        error += _apart(_days_in_log(log, tenant), _days_recorded(ours, id_, tenant))
    return error


def _days_in_log(log: Sequence[Message], tenant: str) -> dict[int, int]:
    """What the calls of each local day cost, by the day's first instant (ms): each call once."""
    zone, seen, sums = ZoneInfo(ZONE), set[tuple[str, str]](), defaultdict[int, int](int)
    for message in log:
        if message.key != tenant.encode() or not message.value:
            continue
        found = json.loads(message.value)
        for event in found if isinstance(found, list) else [found]:
            name = event.get("source"), event.get("id")
            if event.get("kind", "call") != "call" or name in seen:
                continue
            seen.add(name)
            at = _judged_at(event["time"], message.timestamp_ms).astimezone(zone)
            day = datetime(at.year, at.month, at.day, tzinfo=zone).astimezone(UTC)
            sums[int(day.timestamp() * 1000)] += event.get("cost_nano_usd", 0)
    return sums


def _judged_at(text: str, received_ms: int) -> datetime:
    """A call's own time, unless its clock was more than five minutes ahead of the log's."""
    at, received = datetime.fromisoformat(text), datetime.fromtimestamp(received_ms / 1000, UTC)
    return received if at > received + SKEW else at


def _days_recorded(ours: Ours, id_: PartitionId, tenant: str) -> dict[int, int]:
    """The same by the counters of the daily budget."""
    prefix, sums = keys_of(id_).slot(f"{tenant} {DAILY} {DAY_RULE} "), defaultdict[int, int](int)
    with Redis.from_url(ours.world.redis_url) as client:
        for key in client.scan_iter(match=prefix + b"*", count=10_000):
            cells = client.hgetall(key).items()
            sums[int(key.removeprefix(prefix))] += sum(int(value) for name, value in cells if name.startswith(b"r"))
    return sums


def _apart(one: Mapping[int, int], other: Mapping[int, int]) -> int:
    return sum(abs(one.get(day, 0) - other.get(day, 0)) for day in one.keys() | other.keys())
