"""Which stretch of a budget has to be proven: its last full window, or a month of what is longer than that."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from spendgate.engine.windows import DAY_MS, Calendar, CalendarTable
from spendgate.model.policy import Budget, CalendarWindow, RollingWindow

MINUTE_MS = 60_000
_LONGEST_MS = 31 * DAY_MS
"""What is longer is proven by a part of it."""
_LONG_UNITS = ("quarter", "year")
_REACH_MS = 64 * DAY_MS
"""Two months back there is a full one of every calendar window that is not long."""


class Stretch(NamedTuple):
    """``[from_ms, to_ms)``; ``is_partial``: it stands for a window that is longer."""

    from_ms: int
    to_ms: int
    is_partial: bool = False


def last_stretch(budget: Budget, end_ms: int, long_window_days: int) -> Stretch:
    """What has to be proven of a budget where observation ends at ``end_ms``.

    A calendar's is the last window that ended by then; a rolling one's ends at the last whole minute.
    """
    window = budget.window
    if isinstance(window, CalendarWindow) and window.calendar not in _LONG_UNITS:
        return _of_calendar(Calendar(window.calendar, window.timezone, window.week_starts), end_ms)
    end_ms -= end_ms % MINUTE_MS
    if isinstance(window, RollingWindow) and window.minutes * MINUTE_MS <= _LONGEST_MS:
        return Stretch(end_ms - window.minutes * MINUTE_MS, end_ms)
    return Stretch(end_ms - long_window_days * DAY_MS, end_ms, True)


@lru_cache(4096)
def _of_calendar(calendar: Calendar, end_ms: int) -> Stretch:
    table = CalendarTable.empty(calendar)
    table.cover(end_ms - _REACH_MS, end_ms)
    current = int(np.searchsorted(table.starts, end_ms, side="right")) - 1
    return Stretch(int(table.starts[current - 1]), int(table.starts[current]))


def window_words(budget: Budget) -> str:
    """A budget's window in words: ``day in Europe/Berlin``, ``rolling 60m``, ``lifetime``."""
    window = budget.window
    if isinstance(window, CalendarWindow):
        return f"{window.calendar} in {window.timezone}"
    return f"rolling {window.rolling}" if isinstance(window, RollingWindow) else "lifetime"


def calls_within(minutes: Mapping[int, int], stretch: Stretch) -> int:
    """How many calls a stretch holds, by their minutes since the epoch; its edges are whole minutes."""
    return sum(_within(minutes, stretch.from_ms // MINUTE_MS, -(-stretch.to_ms // MINUTE_MS)))


def _within(minutes: Mapping[int, int], first: int, end: int) -> Iterator[int]:
    return (count for minute, count in minutes.items() if first <= minute < end)
