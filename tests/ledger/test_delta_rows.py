"""Rows: an event, a decision or an activation comes back from its columns as it went in."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.activation_rows import (
    PlacedActivation,
    TenantCheckpoint,
    activation_batch_of,
    activations_of,
    checkpoint_batch_of,
    checkpoints_of,
)
from spendgate.ledger.columns import EVENTS
from spendgate.ledger.decision_rows import decision_batch_of, decisions_of
from spendgate.ledger.event_rows import Place, batch_of, events_of, places_of
from spendgate.ledger.record_columns import DECISIONS, REASON
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.decision import CODES, VERDICTS, Decision, Judged, Position, Reason
from spendgate.model.event import Event
from tests.ledger.drawn_events import calls, counts, names, times
from tests.ledger.reading import is_taken

whole_ms = times.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))
places = st.builds(Place, names, st.integers(0, 9), counts, st.integers(0, 499), whole_ms, st.booleans())
words = st.text(max_size=20)
ints = st.none() | st.integers(0, 2**62 - 1)
reasons = st.builds(
    Reason,
    policy=words,
    staging=words,
    stage=st.sampled_from(["shadow", "enforced"]),
    rule=st.integers(0, 99),
    kind=st.sampled_from(["budget", "boundary", "review"]),
    verdict=st.sampled_from(VERDICTS),
    code=st.sampled_from(CODES),
    counter=st.none() | words,
    window_start=st.none() | times,
    window_end=st.none() | times,
    limit_nano_usd=ints,
    used_before_nano_usd=ints,
    recorded_before_nano_usd=ints,
    remaining_nano_usd=ints,
    overage_nano_usd=ints,
    reset_at=st.none() | times,
    alerts=st.lists(st.integers(1, 100), max_size=3).map(tuple),
)
decisions = st.builds(
    Decision,
    decision_id=words,
    tenant=names,
    source=names,
    event_id=names,
    event_time=times,
    decided_at=times,
    position=st.builds(Position, words, st.integers(0, 9), counts, st.integers(0, 499)),
    verdict=st.sampled_from(VERDICTS),
    engine_version=words,
    cost_nano_usd=st.none() | counts,
    check_id=st.none() | names,
    marks=st.lists(st.sampled_from(["late", "clock_skew", "unpriced"]), max_size=3).map(tuple),
    judged=st.builds(Judged, st.integers(0, 99), words),
    reasons=st.lists(reasons, max_size=3).map(tuple),
)
any_event = calls() | st.builds(
    Event,
    id=names,
    source=names,
    tenant=names,
    time=times,
    kind=st.just("outcome"),
    refers_to=names,
    outcome=st.sampled_from(["accepted", "failed"]),
    evidence_status=st.none() | st.just("present"),
    latency_ms=st.none() | counts,
    privacy_mode=st.none() | st.just("metadata_only"),
    prompt_fingerprint=st.none() | names,
)


@given(st.lists(st.tuples(any_event, places), max_size=8))
def test_events_and_places_come_back_as_they_were(rows: list[tuple[Event, Place]]) -> None:
    batch = batch_of([event for event, _ in rows], [where for _, where in rows])
    assert batch.schema.equals(EVENTS)
    assert events_of(batch) == [event for event, _ in rows]
    assert places_of(batch) == [where for _, where in rows]


@given(st.lists(any_event, max_size=4))
def test_an_event_of_no_log_has_no_place(events: list[Event]) -> None:
    batch = batch_of(events)
    assert places_of(batch) == [Place()] * len(events)
    assert all(map(is_taken, events_of(batch)))


def test_an_instant_with_an_offset_is_the_same_instant() -> None:
    at = datetime(2026, 11, 5, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=-9, minutes=-30)))
    [found] = events_of(batch_of([Event(id="e", source="s", tenant="t", time=at)]))
    assert (found.time, found.time.tzinfo) == (at, UTC)


def test_a_place_for_each_event_or_none_at_all() -> None:
    with pytest.raises(ValueError, match="places: expected 1, one an event"):
        batch_of([Event(id="e", source="s", tenant="t", time=datetime.now(UTC))], [])
    with pytest.raises(ValueError, match="places: expected 0, one a decision"):
        decision_batch_of([], [Place()])


@given(st.lists(decisions, max_size=6), st.integers(0, 3), st.integers(0, 6))
def test_decisions_come_back_as_they_were(rows: list[Decision], start: int, length: int) -> None:
    batch = decision_batch_of(
        rows, [Place("t", 0, offset, 0, datetime(2026, 1, 1, tzinfo=UTC)) for offset in range(len(rows))]
    )
    assert batch.schema.equals(DECISIONS)
    assert decisions_of(batch) == rows
    assert decisions_of(batch.slice(start, length)) == rows[start : start + length]


def test_a_decisions_columns_are_the_decisions_fields() -> None:
    assert tuple(field.name for field in REASON) == Reason.__struct_fields__
    nested = {"position", "judged"}
    plain = [name for name in DECISIONS.names[5:] if not name.startswith(("position_", "judged_"))]
    assert set(plain) == set(Decision.__struct_fields__) - nested


@given(places.map(lambda place: msgspec.structs.replace(place, duplicate=False)), names, times)
def test_activations_come_back_byte_for_byte(where: Place, tenant: str, at: datetime) -> None:
    change = Activation(kind="activation", id="a", tenant=tenant, time=at, action="end", staging="s1", ends=["s0"])
    placed = PlacedActivation(where, change, b" " + encode_activation(change))
    assert activations_of(activation_batch_of([placed])) == [placed]


@given(
    st.lists(
        st.builds(TenantCheckpoint, names, st.integers(0, 9), counts, names, times, words, st.binary()), max_size=3
    )
)
def test_checkpoints_come_back_as_they_were(rows: list[TenantCheckpoint]) -> None:
    assert checkpoints_of(checkpoint_batch_of(rows)) == rows


def test_a_projection_without_optional_columns_still_gives_events() -> None:
    batch = batch_of([Event(id="e", source="s", tenant="t", time=datetime(2026, 1, 1, tzinfo=UTC), team="x")])
    few = pa.RecordBatch.from_pydict({name: batch.column(name) for name in ("id", "source", "tenant", "time")})
    assert [event.team for event in events_of(few)] == [None]
