"""The counters of one staging: a list of calls, summed again each time that anyone asks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from spendgate.model.event import Event
from spendgate.model.policy import Budget, RollingWindow
from tests.oracle.matching import counter_key
from tests.oracle.windows import BUCKETS, OracleWindow, bucket_ms, window_of

MOST_NANO_USD = 2**62 - 1
"""Where a counter stops (reading 15)."""


@dataclass(frozen=True)
class Entry:
    """One priced call that a staging counted."""

    call: Event
    judged_ms: int
    cost_nano_usd: int
    admitted: bool


@dataclass
class Counted:
    """All calls that a staging counted, in log order."""

    entries: list[Entry] = field(default_factory=list)

    def used(self, budget: Budget, call: Event, window: OracleWindow) -> int:
        """The admitted sum of the call's counter in its window, in nano-USD."""
        return self._sum(budget, call, window, only_admitted=True)

    def recorded(self, budget: Budget, call: Event, window: OracleWindow) -> int:
        """The recorded sum of the call's counter in its window, in nano-USD."""
        return self._sum(budget, call, window, only_admitted=False)

    def reset_ms(self, budget: Budget, call: Event, window: OracleWindow, cost_nano_usd: int) -> int | None:
        """The first instant at which the same cost would fit if nothing more were spent (reading 13)."""
        if cost_nano_usd > budget.cap_nano_usd:
            return None
        if not isinstance(budget.window, RollingWindow):
            return window.end_ms
        cells = self._cells(budget, call, only_admitted=True)
        for later in range(window.cell + 1, window.cell + BUCKETS + 1):
            left = [cells.get(cell, 0) for cell in range(later - BUCKETS + 1, window.cell + 1)]
            if min(sum(left), MOST_NANO_USD) + cost_nano_usd <= budget.cap_nano_usd:
                return later * bucket_ms(budget.window)
        raise AssertionError("an empty window has room for a cost under the cap")

    def totals(self, budget: Budget) -> Iterator[tuple[int, str, int, int]]:
        """Each cell that holds anything: (cell, counter key, admitted, recorded), sums in nano-USD."""
        sums: dict[tuple[int, str], tuple[int, int]] = {}
        for entry in self.entries:
            place = window_of(budget.window, entry.judged_ms).cell, counter_key(budget.per, entry.call)
            admitted, recorded = sums.get(place, (0, 0))
            admitted += entry.cost_nano_usd if entry.admitted else 0
            sums[place] = admitted, recorded + entry.cost_nano_usd
        for (cell, key), (admitted, recorded) in sums.items():
            if recorded:
                yield cell, key, min(admitted, MOST_NANO_USD), min(recorded, MOST_NANO_USD)

    def _sum(self, budget: Budget, call: Event, window: OracleWindow, *, only_admitted: bool) -> int:
        cells = self._cells(budget, call, only_admitted=only_admitted)
        first = window.cell - BUCKETS + 1 if isinstance(budget.window, RollingWindow) else window.cell
        total = sum(cells.get(cell, 0) for cell in range(first, window.cell + 1))
        return min(total, MOST_NANO_USD)

    def _cells(self, budget: Budget, call: Event, *, only_admitted: bool) -> dict[int, int]:
        """The counter of ``call``, cell by cell, recounted from the first call on."""
        key = counter_key(budget.per, call)
        cells: dict[int, int] = {}
        for entry in self.entries:
            counts = entry.admitted or not only_admitted
            if counts and counter_key(budget.per, entry.call) == key:
                cell = window_of(budget.window, entry.judged_ms).cell
                cells[cell] = min(cells.get(cell, 0) + entry.cost_nano_usd, MOST_NANO_USD)
        return cells
