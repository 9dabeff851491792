"""Calendar windows tile time, are half open to the millisecond, and are those of the recount, in every zone."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.engine.clock import BEGINNING
from spendgate.engine.seed import seed_instant_ms
from spendgate.engine.windows import BUCKETS, DAY_MS, HOUR_MS, Calendar, CalendarTable, bucket_width_ms, window_starts
from spendgate.model.policy import CalendarWindow, Policy
from tests.engine.scenes import budget, examples, policy
from tests.oracle import seed as recount
from tests.oracle.documents import to_ms
from tests.oracle.drawn_policies import CALENDARS, WEEKDAYS, ZONES, calendar_windows
from tests.oracle.windows import window_of
from tests.strategies import policies

CHANGES = {
    "Berlin, a day of 23 h": ("Europe/Berlin", "2026-03-29T00:59:59.999Z"),
    "Berlin, a day of 25 h": ("Europe/Berlin", "2026-10-25T00:59:59.999Z"),
    "Sao Paulo, no midnight": ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    "Sao Paulo, midnight twice": ("America/Sao_Paulo", "2018-02-18T02:00:00Z"),
    "Tokyo, the end of a month": ("Asia/Tokyo", "2026-01-31T15:00:00Z"),
    "a leap day": ("UTC", "2028-02-29T00:00:00Z"),
    "the end of a leap day": ("Europe/Berlin", "2028-02-29T23:00:00Z"),
    "week 53": ("Europe/Berlin", "2026-12-31T23:00:00Z"),
    "Lord Howe, half an hour back": ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    "Lord Howe, half an hour on": ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    "Samoa, a day that never was": ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    "St Johns, a change at 00:01": ("America/St_Johns", "2006-10-29T02:31:00Z"),
}
about_a_change = st.builds(
    lambda change, away: to_ms(datetime.fromisoformat(change[1])) + away,
    st.sampled_from(list(CHANGES.values())),
    st.integers(-2, 2) | st.integers(-40 * HOUR_MS, 40 * HOUR_MS),
)
any_time = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(to_ms)
instants = about_a_change | any_time


def calendar_of(window: CalendarWindow) -> Calendar:
    return Calendar(window.calendar, window.timezone, window.week_starts)


def covering(calendar: Calendar, *instants: int) -> CalendarTable:
    """A table that was made to cover one instant after another."""
    table = CalendarTable.empty(calendar)
    for at_ms in instants:
        table.cover(at_ms, at_ms)
    return table


@given(window=calendar_windows(), at_ms=instants)
@examples(200)
def test_the_window_of_an_instant_is_that_of_the_recount(window: CalendarWindow, at_ms: int) -> None:
    expected = window_of(window, at_ms)
    assert covering(calendar_of(window), at_ms).window_of(at_ms) == (expected.start_ms, expected.end_ms)


@pytest.mark.parametrize("unit", CALENDARS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda name: name)
def test_about_a_change_of_the_clock_windows_are_those_of_the_recount(unit: str, change: str) -> None:
    zone, at = CHANGES[change]
    window = CalendarWindow.model_validate({"calendar": unit, "timezone": zone})
    at_ms = to_ms(datetime.fromisoformat(at))
    table = covering(calendar_of(window), at_ms)
    near = [at_ms + step for step in (-DAY_MS, -HOUR_MS, -1, 0, 1, HOUR_MS // 2, HOUR_MS, DAY_MS)]
    expected = [window_of(window, instant) for instant in near]
    assert [table.window_of(instant) for instant in near] == [(each.start_ms, each.end_ms) for each in expected]


@given(window=calendar_windows(), at_ms=instants)
def test_windows_are_half_open_and_tile_time(window: CalendarWindow, at_ms: int) -> None:
    table = covering(calendar_of(window), at_ms)
    start, end = table.window_of(at_ms)
    assert start <= at_ms < end
    assert table.window_of(start) == table.window_of(end - 1) == (start, end)
    table.cover(start - 1, end)
    assert table.window_of(start - 1)[1] == start
    assert table.window_of(end)[0] == end


@given(window=calendar_windows(), from_ms=instants, days=st.integers(0, 40))
def test_no_window_of_a_stretch_is_left_out(window: CalendarWindow, from_ms: int, days: int) -> None:
    to_ms = from_ms + days * DAY_MS
    starts = window_starts(calendar_of(window), from_ms, to_ms).tolist()
    assert starts[0] <= from_ms
    assert starts[-1] > to_ms
    assert starts == sorted(set(starts))
    assert all(window_of(window, start).end_ms == following for start, following in list(pairwise(starts))[:50])


@given(window=calendar_windows(), instants=st.lists(about_a_change, min_size=2, max_size=4))
@examples(30)
def test_covering_in_pieces_is_covering_at_once(window: CalendarWindow, instants: list[int]) -> None:
    calendar = calendar_of(window)
    # One bound far from another would only make the table long.
    near = [instants[0] + (at_ms - instants[0]) % (90 * DAY_MS) for at_ms in instants]
    pieces, once = covering(calendar, *near), CalendarTable.empty(calendar)
    once.cover(min(near), max(near))
    for at_ms in near:
        assert pieces.window_of(at_ms) == once.window_of(at_ms)
    both = (pieces.starts >= min(near)) & (pieces.starts <= max(near))
    assert pieces.starts[both].tolist() == [s for s in once.starts.tolist() if min(near) <= s <= max(near)]


def test_a_table_that_covers_is_left_alone() -> None:
    table = covering(Calendar("day", "UTC"), 0)
    assert not table.cover(-1, 1)
    assert table.cover(0, 30 * DAY_MS)


@pytest.mark.parametrize(("at", "hours"), [("2026-03-29T12:00:00Z", 23), ("2026-10-25T12:00:00Z", 25)])
def test_a_day_of_a_change_in_berlin_is_23_or_25_hours(at: str, hours: int) -> None:
    at_ms = to_ms(datetime.fromisoformat(at))
    start, end = covering(Calendar("day", "Europe/Berlin"), at_ms).window_of(at_ms)
    assert end - start == hours * HOUR_MS


@given(zone=st.sampled_from(ZONES), starts=st.sampled_from(WEEKDAYS), at_ms=instants)
def test_a_week_begins_on_its_day(zone: str, starts: str, at_ms: int) -> None:
    window = CalendarWindow.model_validate({"calendar": "week", "timezone": zone, "week_starts": starts})
    start, end = covering(calendar_of(window), at_ms).window_of(at_ms)
    assert (start, end) == (window_of(window, at_ms).start_ms, window_of(window, at_ms).end_ms)
    assert abs(end - start - 7 * DAY_MS) <= DAY_MS


@given(minutes=st.integers(1, 400 * 1440))
def test_240_buckets_are_a_rolling_window_to_the_millisecond(minutes: int) -> None:
    assert bucket_width_ms(minutes) * BUCKETS == minutes * 60_000


@given(which=policies(), late_ms=instants)
def test_the_seed_instant_is_that_of_the_recount(which: Policy, late_ms: int) -> None:
    if all(rule.budget is None for rule in which.spec.rules):
        assert seed_instant_ms(which, late_ms) is None
        return
    expected = recount.seed_instant_ms(which, late_ms)
    assert seed_instant_ms(which, late_ms) == (BEGINNING if expected is None else expected)


def test_a_lifetime_is_seeded_from_the_first_event() -> None:
    whole = policy(budget("1", {"rolling": "1m"}), budget("1", {"lifetime": True}))
    assert seed_instant_ms(whole, to_ms(datetime(2026, 5, 1, tzinfo=UTC))) == BEGINNING
