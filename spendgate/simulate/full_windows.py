"""The full windows of a history: those that neither began before it nor reach past its end."""

from dataclasses import dataclass

import numpy as np

from spendgate.engine.rules import Int
from spendgate.engine.windows import Calendar, CalendarTable
from spendgate.ledger.reader_problem import InputError
from spendgate.model.policy import Budget, CalendarWindow, RollingWindow

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Windows:
    """``starts``: ascending, ms; ``end_ms`` of the last one; ``partial``: how many others the history meets."""

    starts: Int
    end_ms: int
    partial: int

    def __len__(self) -> int:
        return len(self.starts)

    def number_of(self, judged_ms: Int) -> Int:
        """In which window each instant lies, -1 in none."""
        found = np.searchsorted(self.starts, judged_ms, side="right") - 1
        return np.where((judged_ms < self.end_ms) & (found >= 0), found, -1)

    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each."""
        return list(zip(self.starts.tolist(), [*self.starts[1:].tolist(), self.end_ms][: len(self)], strict=True))


def full_windows(budget: Budget, first_ms: int, last_ms: int) -> Windows:
    """Windows that began at or after the first call and ended at or before the last.

    Of a rolling budget: stretches of its length, side by side, back from the last call. Raises InputError for a
    lifetime budget, which has none.
    """
    window = budget.window
    if isinstance(window, CalendarWindow):
        return _of_calendar(Calendar(window.calendar, window.timezone, window.week_starts), first_ms, last_ms)
    if isinstance(window, RollingWindow):
        length, end = window.minutes * _MINUTE_MS, last_ms + 1
        full, rest = divmod(end - first_ms, length)
        return Windows(np.arange(end - full * length, end, length, dtype=np.int64), end, int(rest > 0))
    raise InputError("suggest: expected a calendar or a rolling budget; a lifetime has no full window")


def _of_calendar(calendar: Calendar, first_ms: int, last_ms: int) -> Windows:
    table = CalendarTable.empty(calendar)
    table.cover(first_ms, last_ms)
    met = (
        int(np.searchsorted(table.starts, last_ms, side="right") - np.searchsorted(table.starts, first_ms, "right")) + 1
    )
    edges = table.starts[(table.starts >= first_ms) & (table.starts <= last_ms)]
    full = max(0, len(edges) - 1)
    return Windows(edges[:full], int(edges[-1]) if full else 0, met - full)
