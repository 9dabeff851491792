"""Windows hold their instant, are half open and tile time, in every zone and unit."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.policy import CalendarWindow, RollingWindow
from tests.oracle.documents import to_instant, to_ms
from tests.oracle.drawn_policies import ROLLINGS, WEEKDAYS, ZONES, calendar_windows
from tests.oracle.windows import (
    BUCKETS,
    bucket_ms,
    calendar_bounds,
    last_read_ms,
    midnight_ms,
    window_of,
)
from tests.oracle.zones import HOUR_MS, offset_ms, wall_clock

CHANGES = [
    "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2018-02-18T02:00:00Z", "2018-11-04T03:00:00Z",
    "2006-10-29T02:31:00Z", "2011-12-30T10:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z",
    "2026-11-01T05:00:00Z", "2026-01-01T00:00:00Z", "2028-02-29T12:00:00Z",
]  # fmt: skip
about_a_change = st.builds(
    lambda change, away: to_ms(datetime.fromisoformat(change)) + away,
    st.sampled_from(CHANGES),
    st.integers(-40 * HOUR_MS, 40 * HOUR_MS) | st.integers(-2, 2),
)
any_time = st.datetimes(datetime(1995, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)).map(to_ms)
instants = about_a_change | any_time


@given(window=calendar_windows(), at_ms=instants)
def test_a_calendar_window_holds_its_instant_and_no_other_window_does(window: CalendarWindow, at_ms: int) -> None:
    start, end = calendar_bounds(window, at_ms)
    assert start <= at_ms < end
    assert calendar_bounds(window, start) == (start, end)
    assert calendar_bounds(window, end - 1) == (start, end)


@given(window=calendar_windows(), at_ms=instants)
def test_calendar_windows_tile_time(window: CalendarWindow, at_ms: int) -> None:
    start, end = calendar_bounds(window, at_ms)
    assert calendar_bounds(window, start - 1)[1] == start
    assert calendar_bounds(window, end)[0] == end


@given(zone=st.sampled_from(ZONES), at_ms=instants)
def test_an_hour_has_one_offset_and_is_no_longer_than_an_hour(zone: str, at_ms: int) -> None:
    start, end = calendar_bounds(CalendarWindow(calendar="hour", timezone=zone), at_ms)
    assert end - start <= HOUR_MS
    assert offset_ms(zone, start) == offset_ms(zone, end - 1) == offset_ms(zone, at_ms)
    assert wall_clock(zone, start).hour == wall_clock(zone, end - 1).hour


@given(
    zone=st.sampled_from(ZONES),
    at_ms=instants,
    steps=st.lists(st.integers(1, 30 * HOUR_MS), max_size=20),
)
def test_no_clock_has_shown_a_day_before_its_window_begins(zone: str, at_ms: int, steps: list[int]) -> None:
    start, end = calendar_bounds(CalendarWindow(calendar="day", timezone=zone), at_ms)
    shown = max(wall_clock(zone, instant).date() for instant in (start, end - 1))
    assert wall_clock(zone, start).date() == shown
    assert all(wall_clock(zone, start - step).date() < shown for step in [1, *steps])


@given(
    zone=st.sampled_from(["UTC", "Asia/Tokyo", "Asia/Kathmandu"]),
    day=st.dates(date(1995, 1, 1), date(2040, 1, 1)),
)
def test_where_no_clock_changes_a_day_is_24_hours_from_midnight(zone: str, day: date) -> None:
    start = midnight_ms(zone, day)
    assert wall_clock(zone, start) == datetime(day.year, day.month, day.day)
    assert midnight_ms(zone, day + timedelta(days=1)) - start == 24 * HOUR_MS


@given(
    at_ms=instants,
    week_starts=st.sampled_from(WEEKDAYS),
    zone=st.sampled_from(["UTC", "Europe/Berlin"]),
)
def test_a_week_starts_on_its_day(at_ms: int, week_starts: str, zone: str) -> None:
    window = CalendarWindow.model_validate({"calendar": "week", "timezone": zone, "week_starts": week_starts})
    start, _ = calendar_bounds(window, at_ms)
    assert wall_clock(zone, start).strftime("%A").lower() == week_starts


@pytest.mark.parametrize(("unit", "months"), [("month", 1), ("quarter", 3), ("year", 12)])
@given(at_ms=instants)
def test_months_begin_on_the_first_and_follow_each_other(unit: str, months: int, at_ms: int) -> None:
    window = CalendarWindow.model_validate({"calendar": unit, "timezone": "Europe/Berlin"})
    first, following = (wall_clock("Europe/Berlin", edge) for edge in calendar_bounds(window, at_ms))
    assert first.day == following.day == 1
    assert first.hour == following.hour == 0
    assert (following.year - first.year) * 12 + following.month - first.month == months
    assert (first.month - 1) % months == 0


@given(length=st.sampled_from(ROLLINGS), at_ms=instants)
def test_a_rolling_window_ends_with_its_own_bucket_and_has_240(length: str, at_ms: int) -> None:
    window = RollingWindow(rolling=length)
    found, width = window_of(window, at_ms), bucket_ms(window)
    assert width * BUCKETS == window.minutes * 60_000
    assert found.start_ms is not None
    assert found.end_ms is not None
    assert found.end_ms - found.start_ms == width * BUCKETS
    assert found.end_ms - width <= at_ms < found.end_ms
    assert window_of(window, found.end_ms - 1) == window_of(window, found.end_ms - width) == found
    assert window_of(window, found.end_ms).start_ms == found.start_ms + width


@given(length=st.sampled_from(ROLLINGS), at_ms=instants)
def test_a_bucket_is_read_until_its_last_window_ends(length: str, at_ms: int) -> None:
    window = RollingWindow(rolling=length)
    cell = window_of(window, at_ms).cell
    last = last_read_ms(window, cell)
    assert last is not None
    assert window_of(window, last - 1).cell - BUCKETS + 1 == cell
    assert window_of(window, last).cell - BUCKETS + 1 == cell + 1


def test_zone_data_reaches_the_year_2100() -> None:
    window = CalendarWindow(calendar="day", timezone="Europe/Berlin")
    start, end = calendar_bounds(window, to_ms(datetime(2100, 7, 1, 12, tzinfo=UTC)))
    assert (to_instant(start), end - start) == (
        datetime(2100, 6, 30, 22, tzinfo=UTC),
        24 * HOUR_MS,
    )
