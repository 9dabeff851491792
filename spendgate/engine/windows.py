"""Calendar windows as sorted start instants, by integer arithmetic over a zone's UTC offsets.

A window is ``[start, end)`` in UTC milliseconds; its end is the next window's start. A day (week, month, ...)
starts at the first instant whose wall clock has reached its midnight; an hour is a local hour at one UTC offset.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgate.model.zones import load_zone

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BUCKETS = 240
"""A rolling window of length W has 240 buckets of W / 240."""
MINUTE_BUCKET_MS = 60_000 // BUCKETS
BLOCK = 16
"""Buckets that share a slot."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP_MS = DAY_MS // 2
_MARGIN_MS = 2 * DAY_MS
_UNIT_DAYS = {"hour": 1, "day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Calendar(NamedTuple):
    """A calendar unit in a time zone; ``week_starts`` matters for weeks only."""

    unit: str
    timezone: str
    week_starts: str = "monday"


class Segment(NamedTuple):
    """``[start_ms, end_ms)`` in UTC during which local time is ``offset_ms`` ahead of it."""

    start_ms: int
    end_ms: int
    offset_ms: int


def window_starts(calendar: Calendar, from_ms: int, to_ms: int) -> NDArray[np.int64]:
    """Starts of all windows that meet ``[from_ms, to_ms]``, and of at least one after them; sorted, unique."""
    reach = (_UNIT_DAYS[calendar.unit] + 2) * DAY_MS
    segments = list(offset_segments(calendar.timezone, from_ms - reach, to_ms + reach))
    if calendar.unit == "hour":
        starts = [start for segment in segments for start in _hours(segment)]
    else:
        starts = list(_first_instants(segments, _midnights(calendar, segments)))
    # What begins where the search begins is no start of a window, and well before from_ms.
    return np.unique(np.array([start for start in starts if start > segments[0].start_ms], dtype=np.int64))


def offset_segments(timezone: str, from_ms: int, to_ms: int) -> Iterator[Segment]:
    """The stretches of constant UTC offset that cover ``[from_ms, to_ms)``, in order."""
    zone = load_zone(timezone)

    def offset(at_ms: int) -> int:
        local = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
        return (local.utcoffset() or timedelta()) // timedelta(milliseconds=1)

    start, current = from_ms, offset(from_ms)
    for probe in range(from_ms + _STEP_MS, to_ms + _STEP_MS, _STEP_MS):
        if (new := offset(probe)) != current:
            change = _first_change(offset, probe - _STEP_MS, probe)
            yield Segment(start, change, current)
            start, current = change, new
    yield Segment(start, to_ms, current)


def _first_change(offset: Callable[[int], int], low_ms: int, high_ms: int) -> int:
    before = offset(low_ms)
    while high_ms - low_ms > 1:
        middle = (low_ms + high_ms) // 2
        if offset(middle) == before:
            low_ms = middle
        else:
            high_ms = middle
    return high_ms


def _hours(segment: Segment) -> Iterator[int]:
    first = (segment.start_ms + segment.offset_ms) // HOUR_MS * HOUR_MS - segment.offset_ms
    yield segment.start_ms
    yield from (start for start in range(first, segment.end_ms, HOUR_MS) if start > segment.start_ms)


def _midnights(calendar: Calendar, segments: list[Segment]) -> Iterator[int]:
    """Local midnights (in local milliseconds) at which a window of the unit begins."""
    first = (segments[0].start_ms + segments[0].offset_ms) // DAY_MS
    last = (segments[-1].end_ms + segments[-1].offset_ms) // DAY_MS
    week_start = _WEEKDAYS.index(calendar.week_starts)
    epoch = date(1970, 1, 1)
    for day in range(first, last + 1):
        if calendar.unit == "day" or _begins(calendar.unit, epoch + timedelta(days=day), week_start):
            yield day * DAY_MS


def _begins(unit: str, day: date, week_start: int) -> bool:
    match unit:
        case "week":
            return day.weekday() == week_start
        case "month":
            return day.day == 1
        case "quarter":
            return day.day == 1 and day.month % 3 == 1
        case _:
            return day.day == 1 and day.month == 1


def _first_instants(segments: list[Segment], wall_ms: Iterator[int]) -> Iterator[int]:
    """For each ascending local instant, the first UTC instant whose wall clock has reached it."""
    at = 0
    for wall in wall_ms:
        while at < len(segments):
            start, end, offset = segments[at]
            instant = max(start, wall - offset)
            if instant < end:
                yield instant
                break
            at += 1


@dataclass(slots=True)
class CalendarTable:
    """The starts of one calendar's windows, extended as later or earlier calls come."""

    calendar: Calendar
    starts: NDArray[np.int64]
    from_ms: int = 0
    to_ms: int = -1

    @classmethod
    def empty(cls, calendar: Calendar) -> "CalendarTable":
        """A table that covers nothing yet."""
        return cls(calendar, np.zeros(0, np.int64))

    def cover(self, from_ms: int, to_ms: int) -> bool:
        """Make the table hold the windows of ``[from_ms, to_ms]``; whether it changed."""
        if self.from_ms <= from_ms and to_ms <= self.to_ms:
            return False
        if self.to_ms >= self.from_ms:
            # Twice as much each time, or a long history would have them found anew again and again.
            known_ms = self.to_ms - self.from_ms
            from_ms = self.from_ms if from_ms >= self.from_ms else from_ms - known_ms
            to_ms = self.to_ms if to_ms <= self.to_ms else to_ms + known_ms
        self.from_ms, self.to_ms = from_ms - _MARGIN_MS, to_ms + _MARGIN_MS
        self.starts = window_starts(self.calendar, self.from_ms, self.to_ms)
        return True

    def window_of(self, at_ms: int) -> tuple[int, int]:
        """``(start_ms, end_ms)`` of the window that holds ``at_ms``, which must be covered."""
        index = int(np.searchsorted(self.starts, at_ms, side="right")) - 1
        return int(self.starts[index]), int(self.starts[index + 1])


def bucket_width_ms(minutes: int) -> int:
    """The width in ms of a bucket of a rolling window of so many whole minutes."""
    return minutes * MINUTE_BUCKET_MS
