"""What a run over columns keeps: one row of sums for each rule, key and window, and a ring for each rolling key."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from spendgate.engine.rules import BUDGET, ROLLING, Int, Rules
from spendgate.engine.table import Table, grown, new_table

ADMITTED, RECORDED, BREACHED_MS, BREACHES, BREACHED_COST, CALLS, CLOSED_CALLS, LAST_MS = range(8)
"""Columns of a row: sums in nano-USD; the judged time (ms) of the first call over the cap, NEVER_MS without; how
many calls were over it and what they cost; how many calls looked and how many the policy denied; the last
judged time."""
NEVER_MS = -(2**62)
RING = 512
"""Buckets that a ring remembers: the window's 240, and room for calls that come out of order."""
SLOT, START, END = range(3)
LAST, SUM_ADMITTED, SUM_RECORDED = range(3)
MAX_RING_CELLS = 2**26
"""Past this many (1 GiB with both sums) a run is left to the kernel of the live path."""


class Rows(NamedTuple):
    """``table``: (rule, key, window start) to its row of ``sums``, shape (rows, 8)."""

    table: Table
    sums: Int


class Rings(NamedTuple):
    """Of rolling rules. ``cells``: (rules, keys, RING, 2), admitted and recorded by bucket. ``heads``: (rules, keys,
    3): the last bucket, and both sums of the window that ends there."""

    cells: Int
    heads: Int


@dataclass(slots=True)
class StreamState:
    """Grows by doubling. ``here``: (rules, keys, 3), each key's latest row with its window's start and end (ms).
    ``ring_of``: by rule, which ring, -1 without."""

    rules: Rules
    keys: int = 64
    rows: Rows = field(init=False)
    here: Int = field(init=False)
    rings: Rings = field(init=False)
    ring_of: Int = field(init=False)

    def __post_init__(self) -> None:
        rolling = (self.rules.rows["kind"] == BUDGET) & (self.rules.rows["window"] == ROLLING)
        self.ring_of = np.where(rolling, np.cumsum(rolling) - 1, -1).astype(np.int64)
        self.rows = Rows(new_table(1024), _new_sums(1024))
        self.here = _new_here(len(self.ring_of), self.keys)
        self.rings = _new_rings(int(rolling.sum()), self.keys)

    def fits(self, keys: int) -> bool:
        """Whether rings for so many keys are allowed."""
        return len(self.rings.heads) * _power_of_two(keys) * RING <= MAX_RING_CELLS

    def make_room(self, keys: int) -> None:
        """Hold this many keys."""
        if keys <= self.keys:
            return
        old, self.keys = self.keys, _power_of_two(keys)
        here, rings = _new_here(len(self.here), self.keys), _new_rings(len(self.rings.heads), self.keys)
        here[:, :old] = self.here
        rings.cells[:, :old] = self.rings.cells
        rings.heads[:, :old] = self.rings.heads
        self.here, self.rings = here, rings

    def grow_rows(self) -> None:
        """Double the room for rows."""
        capacity = 2 * len(self.rows.sums)
        sums = _new_sums(capacity)
        sums[: len(self.rows.sums)] = self.rows.sums
        self.rows = Rows(grown(self.rows.table, capacity), sums)


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _new_sums(rows: int) -> Int:
    sums = np.zeros((rows, 8), np.int64)
    sums[:, BREACHED_MS] = NEVER_MS
    return sums


def _new_here(rules: int, keys: int) -> Int:
    here = np.zeros((rules, keys, 3), np.int64)
    here[:, :, END] = NEVER_MS
    return here


def _new_rings(rules: int, keys: int) -> Rings:
    heads = np.zeros((rules, keys, 3), np.int64)
    heads[:, :, LAST] = NEVER_MS
    return Rings(np.zeros((rules, keys, RING, 2), np.int64), heads)
