"""What a sweep keeps: for each key and window, what each variant of a policy has admitted."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from spendgate.engine.batch import Records
from spendgate.engine.rules import CALENDAR, ROLLING, Int
from spendgate.engine.stream_state import END, NEVER_MS, RING
from spendgate.engine.table import Table, grown, new_table
from spendgate.engine.windows import CalendarTable

MAX_RING_CELLS = 2**26
"""Past this many (512 MiB) the rings of a sweep are refused: fewer variants at a time need less."""


class VariantRows(NamedTuple):
    """``table``: (budget, key, window start) to its row of ``admitted``, shape (rows, variants), nano-USD."""

    table: Table
    admitted: Int


class VariantRings(NamedTuple):
    """Of rolling budgets. ``cells``: (budgets, keys, RING, variants), admitted by bucket. ``recorded``: (budgets, keys,
    RING): a bucket without any holds nothing admitted either. ``last``: (budgets, keys), the latest bucket.
    ``sums``: (budgets, keys, variants), what the window that ends there admitted."""

    cells: Int
    recorded: Int
    last: Int
    sums: Int


@dataclass(slots=True)
class SweepState:
    """Grows by doubling. ``budgets``: RULE records. ``here`` and ``ring_of``: see ``StreamState``."""

    budgets: Records
    variants: int
    keys: int = 64
    rows: VariantRows = field(init=False)
    here: Int = field(init=False)
    rings: VariantRings = field(init=False)
    ring_of: Int = field(init=False)

    def __post_init__(self) -> None:
        rolling = self.budgets["window"] == ROLLING
        self.ring_of = np.where(rolling, np.cumsum(rolling) - 1, -1).astype(np.int64)
        self.rows = VariantRows(new_table(1024), np.zeros((1024, self.variants), np.int64))
        self.here = self._new_here(self.keys)
        self.rings = self._new_rings(self.keys)

    def fits(self, keys: int) -> bool:
        """Whether rings for so many keys are allowed."""
        return len(self.rings.last) * _power_of_two(keys) * RING * self.variants <= MAX_RING_CELLS

    def make_room(self, keys: int) -> None:
        """Hold this many keys."""
        if keys <= self.keys:
            return
        old, self.keys = self.keys, _power_of_two(keys)
        here, rings = self._new_here(self.keys), self._new_rings(self.keys)
        here[:, :old] = self.here
        for before, after in zip(self.rings, rings, strict=True):
            after[:, :old] = before
        self.here, self.rings = here, rings

    def make_rows(self, late_ms: int, tables: list[CalendarTable]) -> None:
        """Make room for rows: first by forgetting windows that ended before ``late_ms``, which no call can enter."""
        table, admitted = self.rows
        used = int(table.used[0])
        kept = np.flatnonzero(self._expires_ms(used, tables) > late_ms)
        capacity = len(admitted) * (2 if 2 * len(kept) > len(admitted) else 1)
        counter, key, window = (column[kept] for column in (table.counter, table.key, table.window))
        fewer = Table(table.places, counter, key, window, np.array([len(kept)], np.int64))
        fresh = np.zeros((capacity, self.variants), np.int64)
        fresh[: len(kept)] = admitted[kept]
        self.rows = VariantRows(grown(fewer, capacity), fresh)
        self.here = self._new_here(self.keys)

    def _expires_ms(self, used: int, tables: list[CalendarTable]) -> Int:
        budget, window = self.budgets[self.rows.table.counter[:used]], self.rows.table.window[:used]
        expires = np.full(used, -NEVER_MS, np.int64)
        for number, calendar in enumerate(tables):
            mine = (budget["window"] == CALENDAR) & (budget["table"] == number)
            expires[mine] = calendar.starts[np.searchsorted(calendar.starts, window[mine], side="right")]
        return expires

    def _new_here(self, keys: int) -> Int:
        here = np.zeros((len(self.budgets), keys, 3), np.int64)
        here[:, :, END] = NEVER_MS
        return here

    def _new_rings(self, keys: int) -> VariantRings:
        rings = int((self.budgets["window"] == ROLLING).sum())
        return VariantRings(
            np.zeros((rings, keys, RING, self.variants), np.int64), np.zeros((rings, keys, RING), np.int64),
            np.full((rings, keys), NEVER_MS, np.int64), np.zeros((rings, keys, self.variants), np.int64),
        )  # fmt: skip


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()
