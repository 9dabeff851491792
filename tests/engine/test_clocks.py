"""Duplicates, watermarks and horizons go by the broker's time alone, and never back."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.clock import Clock, advance
from spendgate.engine.windows import HOUR_MS
from spendgate.model.activation import Activation
from spendgate.model.decision import Position
from spendgate.model.event import Event
from spendgate.model.settings import Settings
from tests.engine.evaluate import evaluate, feed, new_replay
from tests.engine.scenes import START, TENANT, call, examples, log_of
from tests.oracle.documents import Record, to_ms
from tests.oracle.oracle import Oracle
from tests.strategies import Log, logs


def taken(*hours: float, event_id: str = "same") -> list[Record]:
    """Calls of one identity, taken by the broker so many hours after START; their own time is always START."""
    body = call(timedelta(), event_id)
    return [
        Record(Position("spend.events", 0, n, 0), to_ms(START) + round(hour * HOUR_MS), body)
        for n, hour in enumerate(hours)
    ]


def accepted(records: list[Record]) -> list[bool]:
    _, decisions = evaluate({}, [records])
    return [(record.position.offset, 0) in decisions for record in records]


def test_an_identity_thrice_20_and_40_hours_apart_is_counted_twice() -> None:
    # The repeat at 20 h was dropped, so it is not remembered; at 40 h the first one is behind the horizon.
    assert accepted(taken(0, 20, 40)) == [True, False, True]


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ((0, 24.49), [True, False]),  # filed at 10:30 under 10; the horizon at 10:59 is that very hour
        ((0, 24.5), [True, True]),  # at 11:00 it is 11
        ((0, -30), [True, False]),  # a clock that goes back moves nothing
        ((0, 30, 0), [True, True, False]),  # filed under the watermark's hour, not under that of the record
        ((0, 20, 40, 50, 65), [True, False, True, False, True]),
    ],
)
def test_an_identity_is_remembered_for_24_whole_hours_of_the_watermark(
    hours: tuple[float, ...], expected: list[bool]
) -> None:
    assert accepted(taken(*hours)) == expected
    assert [not answer for answer in accepted(taken(*hours))].count(True) == evaluate({}, [taken(*hours)])[0].duplicates


@given(st.lists(st.tuples(st.integers(-40, 40), st.sampled_from("abc")), min_size=1, max_size=30))
def test_duplicates_are_those_of_a_dictionary(steps: list[tuple[int, str]]) -> None:
    filed: dict[str, int] = {}
    at_ms = watermark_ms = to_ms(START)
    records: list[Record] = []
    expected: list[bool] = []
    for n, (hours, name) in enumerate(steps):
        at_ms += hours * HOUR_MS // 2
        watermark_ms = max(watermark_ms, at_ms)
        hour = watermark_ms // HOUR_MS
        expected.append(filed.get(name, 0) < hour - 24)
        if expected[-1]:
            filed[name] = hour
        records.append(Record(Position("spend.events", 0, n, 0), at_ms, call(timedelta(), name)))
    # The horizon of a tenant that begins with a step back is that of its first record.
    first = Record(Position("spend.events", 0, -1, 0), to_ms(START), call(timedelta(), "first"))
    assert accepted([first, *records])[1:] == expected


def test_a_repeat_within_a_message_is_a_duplicate() -> None:
    records = [Record(Position("spend.events", 0, 0, n), to_ms(START), call(timedelta(), "same")) for n in range(3)]
    replay, decisions = evaluate({}, [records])
    assert list(decisions) == [(0, 0)]
    assert replay.duplicates == 2


@given(log=logs())
@examples(20)
def test_watermark_and_horizons_are_those_of_the_recount_and_never_move_back(log: Log) -> None:
    replay, oracle = new_replay(log.documents), Oracle(log.documents)
    before: dict[str, Clock] = {}
    for record in log.records:
        feed(replay, [record])
        oracle.feed(record)
        tenant = record.body.tenant
        document = replay.document(tenant)
        expected = oracle._ledgers[tenant].tenant
        assert document.clock == (
            expected.watermark_ms,
            expected.late_horizon_ms,
            expected.duplicate_horizon_hour,
        )
        assert all(now >= then for now, then in zip(document.clock, before.get(tenant, document.clock), strict=True))
        # An activation moves the clock alone; the next call has what is behind the horizon forgotten.
        assert isinstance(record.body, Activation) or all(h >= document.duplicate_hour for h in document.hours)
        before[tenant] = document.clock


@given(
    at=st.lists(st.tuples(st.integers(-90, 90), st.integers(-90, 90)), max_size=12),
    cut=st.integers(0, 12),
    grace=st.sampled_from([1, 72]),
)
def test_a_clock_that_passes_a_batch_in_two_parts_is_where_it_is_after_the_whole(
    at: list[tuple[int, int]], cut: int, grace: int
) -> None:
    settings = Settings(grace_hours=grace)
    received, own = (np.array([pair[side] for pair in at], np.int64) * HOUR_MS for side in (0, 1))
    whole = advance(Clock(), settings, received, own)
    one = advance(Clock(), settings, received[:cut], own[:cut])
    two = advance(one.after, settings, received[cut:], own[cut:])
    assert two.after == whole.after
    for column, first, second in zip(whole[:5], one[:5], two[:5], strict=True):
        assert column.tolist() == [*first, *second]


@pytest.mark.parametrize(("ahead_ms", "is_skewed"), [(300_000, False), (300_001, True)])
def test_a_clock_five_minutes_ahead_is_tolerated_and_no_more(ahead_ms: int, is_skewed: bool) -> None:
    ahead = call(timedelta(milliseconds=ahead_ms), "e")
    record = Record(Position("spend.events", 0, 0, 0), to_ms(START), ahead)
    _, decisions = evaluate({}, [[record]])
    assert decisions[0, 0].marks == (("clock_skew",) if is_skewed else ())


@pytest.mark.parametrize(("behind_ms", "is_late"), [(72 * HOUR_MS, False), (72 * HOUR_MS + 1, True)])
def test_a_call_at_the_late_horizon_is_not_late(behind_ms: int, is_late: bool) -> None:
    late = call(timedelta(milliseconds=-behind_ms), "e")
    _, decisions = evaluate({}, [[*log_of(call(timedelta(), "first")), _taken_at_start(late)]])
    assert decisions[1, 0].marks == (("late",) if is_late else ())
    assert decisions[1, 0].tenant == TENANT


def _taken_at_start(body: Event) -> Record:
    return Record(Position("spend.events", 0, 1, 0), to_ms(START), body)
