"""A staging starts from history: as if it had stood since its seed instant, with what corrections say by then."""

from bisect import bisect
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.corrections import Correction, Place, corrected_costs
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision, Position
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from tests.engine.evaluate import evaluate, place_of
from tests.engine.scenes import budget, call, correction, examples, log_of, policy, readable_cells, staged
from tests.oracle.documents import Record, to_ms
from tests.oracle.seed import seed_instant_ms
from tests.strategies import Log, budgets, logs, policy_hash, rules

HOURS = timedelta(hours=1)
with_a_budget = st.builds(
    lambda drawn, others: policy({"budget": drawn}, *others), budgets(), st.lists(rules(), max_size=2)
)


def of_one_tenant(log: Log) -> list[Record]:
    """The calls and outcomes of the first tenant; what else moved its clock became a void activation."""
    return [_void(record) for record in log.records if record.body.tenant == "tenant-0"]


def _void(record: Record) -> Record:
    body = record.body
    if isinstance(body, Activation):
        body = msgspec.structs.replace(body, action="end", staging="unknown")
    elif body.kind == "correction":
        body = _outcome(body)
    return Record(record.position, record.received_at_ms, body)


def _outcome(event: Event) -> Event:
    """An annotation at the same place: it moves clocks and nothing else."""
    return msgspec.structs.replace(event, kind="outcome", refers_to="e0", outcome="accepted", cost_nano_usd=None)


def counting(record: Record, decision: Decision | None, instant_ms: int | None) -> Record:
    """The record, if the seed counts it; else an annotation in its place."""
    body = record.body
    if isinstance(body, Activation) or body.kind != "call":
        return record
    if decision is not None and "late" not in decision.marks:
        judged_ms = record.received_at_ms if "clock_skew" in decision.marks else to_ms(body.time)
        if instant_ms is None or judged_ms >= instant_ms:
            return record
    return Record(record.position, record.received_at_ms, _outcome(body))


@given(log=logs(activations=False), which=with_a_budget)
@examples(25)
def test_a_staging_in_mid_log_counts_as_if_it_had_stood_since_its_seed_instant(log: Log, which: Policy) -> None:
    past = of_one_tenant(log)
    if not past:
        return
    documents = {policy_hash(which): which}
    begins = msgspec.structs.replace(staged(which), tenant="tenant-0")
    received_ms = [record.received_at_ms for record in past]
    first = Record(Position("spend.events", 0, -1, 0), min(received_ms), begins)
    last = Record(Position("spend.events", 0, 10**6, 0), max(received_ms), begins)
    seeded, decisions = evaluate(documents, [[*past, last]])
    instant_ms = seed_instant_ms(which, seeded.document("tenant-0").late_ms)
    kept = [counting(record, decisions.get(place_of(record)), instant_ms) for record in past]
    stood, _ = evaluate(documents, [[first, *kept]])
    assert readable_cells(seeded, documents) == readable_cells(stood, documents)


def test_a_call_before_the_seed_instant_is_not_counted_even_by_a_window_that_holds_it() -> None:
    day = policy(budget("1", {"rolling": "24h"}))
    documents = {policy_hash(day): day}
    # The late horizon comes to stand 24.5 h after the first call, and the seed instant 0.6 h after it.
    bodies = [call(0 * HOURS, "a"), call(23.5 * HOURS, "b"), call(96.5 * HOURS, "c", 0)]
    replay, _ = evaluate(documents, [log_of(*bodies, staged(day, 96.5 * HOURS))])
    assert list(readable_cells(replay, documents).values()) == [(10**9, 10**9)]
    early, _ = evaluate(documents, [log_of(*bodies[:2], staged(day, 23.5 * HOURS))])
    assert sorted(readable_cells(early, documents).values()) == [(0, 10**9), (10**9, 10**9)]


LIFETIME = policy(budget("1000", {"lifetime": True}))


def seed_of(*bodies: Event) -> int:
    """What a lifetime budget that is staged after these has recorded, in nano-USD."""
    after = max(body.time for body in bodies) - call(timedelta(), "").time
    documents = {policy_hash(LIFETIME): LIFETIME}
    replay, _ = evaluate(documents, [log_of(*bodies, staged(LIFETIME, after))])
    (sums,) = readable_cells(replay, documents).values()
    return sums[1]


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([call(0 * HOURS, "e", 1), correction(1 * HOURS, "e", 50)], 50),
        ([correction(0 * HOURS, "e", 50), call(1 * HOURS, "e", 1)], 50),
        ([call(0 * HOURS, "e", None), correction(1 * HOURS, "e", 50)], 50),
        ([call(0 * HOURS, "e", 1), correction(1 * HOURS, "e", 50), correction(2 * HOURS, "e", 60)], 60),
        ([call(0 * HOURS, "e", 1), correction(1 * HOURS, "e", 50), call(30 * HOURS, "e", 7)], 57),
        ([call(0 * HOURS, "e", 1), call(30 * HOURS, "e", 7), correction(31 * HOURS, "e", 50)], 51),
        ([correction(0 * HOURS, "e", 50), call(1 * HOURS, "e", 1), call(30 * HOURS, "e", 7)], 57),
        ([call(0 * HOURS, "e", 1), call(1 * HOURS, "e", 900), correction(2 * HOURS, "e", 50)], 50),
        ([call(0 * HOURS, "e", 1), correction(1 * HOURS, "other", 50)], 1),
    ],
    ids=[
        "after its call", "before its call", "of an unpriced call", "the latest wins", "between two: the earlier one",
        "after two: the later one", "before two: the earlier one", "not of a duplicate", "of another id",
    ],
)  # fmt: skip
def test_a_correction_is_about_the_latest_call_before_it_else_the_first_after(
    bodies: Sequence[Event], expected: int
) -> None:
    assert seed_of(*bodies) == expected


def test_a_correction_changes_no_staging_that_stands() -> None:
    documents = {policy_hash(LIFETIME): LIFETIME}
    log = log_of(staged(LIFETIME), call(1 * HOURS, "e", 1), correction(2 * HOURS, "e", 50))
    replay, _ = evaluate(documents, [log])
    assert list(readable_cells(replay, documents).values()) == [(1, 1)]


places = st.tuples(st.integers(0, 30), st.integers(0, 2))


@given(
    accepted=st.dictionaries(st.integers(0, 2), st.lists(places, max_size=5, unique=True).map(sorted)),
    drawn=st.lists(st.tuples(places, st.integers(0, 3), st.integers(0, 99)), max_size=10),
)
def test_corrected_costs_are_those_of_a_search_through_the_log(
    accepted: dict[int, list[Place]], drawn: list[tuple[Place, int, int]]
) -> None:
    taken = {place for found in accepted.values() for place in found}
    corrections = [Correction(*each) for each in sorted(drawn) if each[0] not in taken]
    expected: dict[Place, int] = {}
    for each in corrections:
        found = accepted.get(each.identity, [])
        before, after = found[: bisect(found, each.place)], found[bisect(found, each.place) :]
        for target in before[-1:] or after[:1]:
            expected[target] = each.cost_nano_usd
    assert corrected_costs(corrections, accepted) == expected
