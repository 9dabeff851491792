"""Which calls of a run over columns repeat one that was accepted before: the law of duplicates, in columns."""

from dataclasses import dataclass, field

import numpy as np

from spendgate.engine.clock import BEGINNING
from spendgate.engine.jit import jit
from spendgate.engine.rules import Int
from spendgate.engine.table import FULL, Table, find_or_add, grown, new_table

_FIRST_CAPACITY = 4096


@dataclass(slots=True)
class Seen:
    """The identities accepted so far, each with the hour under which it was filed last."""

    table: Table = field(default_factory=lambda: new_table(_FIRST_CAPACITY))
    hours: Int = field(default_factory=lambda: np.full(_FIRST_CAPACITY, BEGINNING, np.int64))

    def repeats(self, identities: Int, skipped: Int, hours: Int, horizons: Int) -> Int:
        """1 for each call that is a duplicate; the others are remembered.

        ``skipped``: 1 for what is no call, and never remembered. ``hours``: under which an
        accepted call is filed; ``horizons``: the duplicate horizon at its place.
        """
        found = np.zeros(len(identities), np.int64)
        done = 0
        while (done := self._mark(identities, skipped, hours, horizons, found, done)) < len(identities):
            self._make_room(int(horizons[done]))
        return found

    def _mark(self, identities: Int, skipped: Int, hours: Int, horizons: Int, found: Int, begin: int) -> int:
        return int(_mark(self.table, self.hours, identities, skipped, hours, horizons, found, begin))

    def _make_room(self, horizon: int) -> None:
        used = int(self.table.used[0])
        kept = self.hours[:used] >= horizon
        capacity = len(self.hours) if 2 * int(kept.sum()) < used else 2 * len(self.hours)
        fresh = new_table(capacity)
        fresh.window[: int(kept.sum())] = self.table.window[:used][kept]
        fresh.used[0] = int(kept.sum())
        hours = np.full(capacity, BEGINNING, np.int64)
        hours[: int(kept.sum())] = self.hours[:used][kept]
        self.table, self.hours = grown(fresh, capacity), hours


@jit
def _mark(
    table: Table, filed: Int, identities: Int, skipped: Int, hours: Int, horizons: Int, found: Int, begin: int
) -> int:
    for at in range(begin, identities.shape[0]):
        if skipped[at] != 0:
            continue
        entry = find_or_add(table, 0, 0, identities[at])
        if entry == FULL:
            return at
        if filed[entry] >= horizons[at] and filed[entry] != BEGINNING:
            found[at] = 1
        else:
            filed[entry] = hours[at]
    return len(identities)
