"""Which window a judged time falls in, found on the wall clock."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from spendgate.model.policy import CalendarWindow, LifetimeWindow, RollingWindow
from tests.oracle.documents import EPOCH, ONE_MS
from tests.oracle.zones import HOUR_MS, offset_ms, pieces, wall_clock

BUCKETS = 240
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS_IN = {"month": 1, "quarter": 3, "year": 12}
_REACH_MS = 26 * HOUR_MS
_EPOCH_WALL = EPOCH.replace(tzinfo=None)

AnyWindow = CalendarWindow | RollingWindow | LifetimeWindow


@dataclass(frozen=True)
class OracleWindow:
    """``[start, end)`` in ms; a lifetime has neither. ``cell`` is where the cost of a call in it is kept:
    the start of a calendar window, the call's own bucket number in a rolling one, 0 in a lifetime."""

    start_ms: int | None
    end_ms: int | None
    cell: int


@lru_cache(maxsize=65536)
def window_of(window: AnyWindow, at_ms: int) -> OracleWindow:
    """The window that a call judged at ``at_ms`` is judged in."""
    if isinstance(window, LifetimeWindow):
        return OracleWindow(None, None, 0)
    if isinstance(window, RollingWindow):
        width = bucket_ms(window)
        bucket = at_ms // width
        return OracleWindow((bucket - BUCKETS + 1) * width, (bucket + 1) * width, bucket)
    start, end = calendar_bounds(window, at_ms)
    return OracleWindow(start, end, start)


def bucket_ms(window: RollingWindow) -> int:
    """The width of a bucket: whole, for a minute has 60,000 ms and 240 divides that."""
    return window.minutes * 60_000 // BUCKETS


def calendar_bounds(window: CalendarWindow, at_ms: int) -> tuple[int, int]:
    """Start and end of the calendar window that holds ``at_ms``, in ms."""
    if window.calendar == "hour":
        return _hour_bounds(window.timezone, at_ms)
    first = _first_date(window, wall_clock(window.timezone, at_ms).date())
    following = _next_first_date(window, first)
    # A clock set back across midnight shows the old date in a day that has begun, and a date may be skipped.
    while midnight_ms(window.timezone, following) <= at_ms:
        first, following = following, _next_first_date(window, following)
    return midnight_ms(window.timezone, first), midnight_ms(window.timezone, following)


@lru_cache(maxsize=65536)
def midnight_ms(key: str, day: date) -> int:
    """The first instant whose wall clock has reached the midnight that begins ``day`` (reading 17)."""
    midnight = (datetime.combine(day, time()) - _EPOCH_WALL) // ONE_MS
    reached = [
        max(start, midnight - offset)
        for start, end, offset in pieces(key, midnight - _REACH_MS, midnight + _REACH_MS)
        if end + offset > midnight
    ]
    return min(reached)


def _hour_bounds(key: str, at_ms: int) -> tuple[int, int]:
    """The local hour at one offset, cut where the offset changes (reading 16)."""
    offset = offset_ms(key, at_ms)
    start = (at_ms + offset) // HOUR_MS * HOUR_MS - offset
    for a, b, _ in pieces(key, start, start + HOUR_MS):
        if a <= at_ms < b:
            return a, b
    raise AssertionError("the pieces of an hour tile it")


def _first_date(window: CalendarWindow, day: date) -> date:
    """The first date of the unit that holds ``day``."""
    if window.calendar == "day":
        return day
    if window.calendar == "week":
        return day - timedelta(days=(day.weekday() - _WEEKDAYS.index(window.week_starts)) % 7)
    months = _MONTHS_IN[window.calendar]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _next_first_date(window: CalendarWindow, first: date) -> date:
    """The first date of the unit after the one that begins on ``first``."""
    if window.calendar == "day":
        return first + timedelta(days=1)
    if window.calendar == "week":
        return first + timedelta(days=7)
    month = first.month - 1 + _MONTHS_IN[window.calendar]
    return date(first.year + month // 12, month % 12 + 1, 1)


def last_read_ms(window: AnyWindow, cell: int) -> int | None:
    """The end of the last window that reads the cell, in ms; None if every window to come does."""
    if isinstance(window, LifetimeWindow):
        return None
    if isinstance(window, RollingWindow):
        return (cell + BUCKETS) * bucket_ms(window)
    return calendar_bounds(window, cell)[1]
