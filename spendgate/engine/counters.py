"""Counters of one tenant in memory: slots of cells, and what a batch added to them.

A slot is a calendar or lifetime window's one cell, or 16 buckets of a rolling counter. A view is what one call of
a rolling rule reads: the 16 slots that its window touches.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.counter_keys import key_text
from spendgate.engine.rules import Int
from spendgate.engine.table import Table, grown, new_table
from spendgate.engine.windows import BLOCK

MAX_SUM = 2**62 - 1
"""Where a counter stops: every cap is below it."""
VIEW = 16
"""Slots in a view: 240 buckets touch at most 16 blocks of 16."""
TOTAL = -1
"""Stands where a bucket would, for the sum of a slot's buckets."""

_FIRST_CAPACITY = 256


class Cells(NamedTuple):
    """Sums in nano-USD by slot and bucket; shape (slots, 16), a window's one cell is column 0.

    ``total_*``: by slot. ``added_*``: what has been added since the last collection. ``touched``: slots with
    something added, the first ``touched_count[0]`` of them. ``is_touched``: by slot.
    """

    admitted: Int
    recorded: Int
    total_admitted: Int
    total_recorded: Int
    added_admitted: Int
    added_recorded: Int
    touched: Int
    is_touched: Int
    touched_count: Int


class Slot(NamedTuple):
    """What a slot stands for; ``window`` is a start in ms, a block number, or 0 for a lifetime."""

    counter: int
    key: int
    window: int


def _new_cells(capacity: int) -> Cells:
    admitted, recorded, added_admitted, added_recorded = (np.zeros((capacity, BLOCK), np.int64) for _ in range(4))
    total_admitted, total_recorded, touched, is_touched = (np.zeros(capacity, np.int64) for _ in range(4))
    return Cells(
        admitted, recorded, total_admitted, total_recorded, added_admitted, added_recorded, touched, is_touched,
        np.zeros(1, np.int64),
    )  # fmt: skip


def _grown(cells: Cells, capacity: int) -> Cells:
    """The same, with room for ``capacity`` slots. Of what was added only what was touched is copied: all else is zero,
    and pages of zeros that nobody writes to take neither memory nor time."""
    bigger, count = _new_cells(capacity), int(cells.touched_count[0])
    touched = cells.touched[:count]
    for old, new in zip(cells[:4], bigger[:4], strict=True):
        new[: len(old)] = old
    bigger.touched[:count], bigger.touched_count[0] = touched, count
    for name in ("added_admitted", "added_recorded", "is_touched"):
        getattr(bigger, name)[touched] = getattr(cells, name)[touched]
    return bigger


@dataclass(slots=True)
class Counters:
    """All counters that have been looked at; grows by doubling, forgets by being made anew."""

    slots: Table = field(default_factory=lambda: new_table(_FIRST_CAPACITY))
    cells: Cells = field(default_factory=lambda: _new_cells(_FIRST_CAPACITY))
    views: Table = field(default_factory=lambda: new_table(_FIRST_CAPACITY))
    view_slots: Int = field(default_factory=lambda: np.zeros((_FIRST_CAPACITY, VIEW), np.int64))
    loaded: int = 0
    _numbers: dict[tuple[str, int], int] = field(default_factory=dict)
    _names: list[tuple[str, int]] = field(default_factory=list)
    _keys: dict[tuple[str, ...], dict[tuple[str | None, ...], int]] = field(default_factory=dict)
    _key_texts: list[str] = field(default_factory=list)

    @classmethod
    def of_slots(cls, count: int, view_slots: Int) -> "Counters":
        """So many slots, and the views on them, whose numbers the caller gives out."""
        return cls(new_table(1), _new_cells(count), new_table(1), view_slots)

    def number(self, staging: str, rule: int) -> int:
        """The number of the counter of a staging's rule."""
        known = self._numbers.get((staging, rule))
        if known is None:
            known = self._numbers[staging, rule] = len(self._names)
            self._names.append((staging, rule))
        return known

    def name(self, number: int) -> tuple[str, int]:
        """(staging, rule index) of a counter's number."""
        return self._names[number]

    def keys(self, fields: tuple[str, ...]) -> dict[tuple[str | None, ...], int]:
        """The key numbers of one ``per``, by its values; add with ``new_key``."""
        return self._keys.setdefault(fields, {})

    def new_key(self, fields: tuple[str, ...], values: tuple[str | None, ...]) -> int:
        """Number a combination of ``per`` values that has not been seen before."""
        number = len(self._key_texts)
        self._key_texts.append(key_text(fields, values))
        self._keys[fields][values] = number
        return number

    @property
    def keys_known(self) -> int:
        """How many combinations of ``per`` values have been numbered."""
        return len(self._key_texts)

    def key_text(self, key: int) -> str:
        """A key as it stands in decisions and in the store."""
        return self._key_texts[key]

    def slot(self, number: int) -> Slot:
        """What slot ``number`` stands for."""
        table = self.slots
        return Slot(int(table.counter[number]), int(table.key[number]), int(table.window[number]))

    def unloaded(self) -> range:
        """The slots made since the last call of ``load``: a store must say what they hold."""
        return range(self.loaded, int(self.slots.used[0]))

    def load(self, values: Mapping[int, Sequence[tuple[int, int, int]]]) -> None:
        """Set fresh slots from ``slot -> [(bucket in slot, admitted, recorded)]``; others are empty."""
        for slot, buckets in values.items():
            for bucket, admitted, recorded in buckets:
                self.cells.admitted[slot, bucket] = admitted
                self.cells.recorded[slot, bucket] = recorded
                self.cells.total_admitted[slot] = min(int(self.cells.total_admitted[slot]) + admitted, MAX_SUM)
                self.cells.total_recorded[slot] = min(int(self.cells.total_recorded[slot]) + recorded, MAX_SUM)
        self.loaded = int(self.slots.used[0])

    def grow_slots(self) -> None:
        """Double the room for slots."""
        capacity = 2 * len(self.slots.counter)
        self.slots = grown(self.slots, capacity)
        self.cells = _grown(self.cells, capacity)

    def grow_views(self) -> None:
        """Double the room for views."""
        capacity = 2 * len(self.views.counter)
        self.views = grown(self.views, capacity)
        rows = np.zeros((capacity, VIEW), np.int64)
        rows[: len(self.view_slots)] = self.view_slots
        self.view_slots = rows

    def kept(self, keep: NDArray[np.bool_]) -> "Counters":
        """Other counters with only the slots for which ``keep`` is true, under new numbers; keys keep theirs."""
        used = len(keep)
        capacity = len(self.slots.counter)  # as many will come again, and to grow there anew is to copy them all
        table = new_table(capacity)
        table.used[0] = keep.sum()
        for old, new in zip(self.slots[1:4], table[1:4], strict=True):
            new[: int(keep.sum())] = old[:used][keep]
        cells = _new_cells(capacity)
        for old, new in zip(self.cells[:4], cells[:4], strict=True):
            new[: int(keep.sum())] = old[:used][keep]
        views = len(self.views.counter)
        return Counters(
            grown(table, capacity), cells, new_table(views), np.zeros((views, VIEW), np.int64), int(keep.sum()),
            self._numbers, self._names, self._keys, self._key_texts,
        )  # fmt: skip

    def forget(self) -> None:
        """Forget all slots; counters, keys and their numbers stay. A store must be asked anew what slots hold."""
        self.slots, self.cells, self.views = (
            new_table(_FIRST_CAPACITY), _new_cells(_FIRST_CAPACITY), new_table(_FIRST_CAPACITY),
        )  # fmt: skip
        self.view_slots = np.zeros((_FIRST_CAPACITY, VIEW), np.int64)
        self.loaded = 0

    def discard(self) -> None:
        """Forget what has been added since the last collection; the sums stay."""
        slots = self.cells.touched[: self.cells.touched_count[0]]
        for added in (self.cells.added_admitted, self.cells.added_recorded, self.cells.is_touched):
            added[slots] = 0
        self.cells.touched_count[0] = 0

    def collect(self, rolling: Int) -> list[tuple[int, int, int, int]]:
        """What has been added since the last call, as (slot, bucket, admitted, recorded) in nano-USD; then, of slots of
        the counters ``rolling``, by how much their totals have grown, under TOTAL."""
        cells = self.cells
        slots = cells.touched[: cells.touched_count[0]]
        admitted, recorded = cells.added_admitted[slots], cells.added_recorded[slots]
        rows, buckets = np.nonzero((recorded != 0) | (admitted != 0))
        columns = (slots[rows], buckets, admitted[rows, buckets], recorded[rows, buckets])
        totals = self._added_totals(slots[np.isin(self.slots.counter[slots], rolling)])
        cells.added_admitted[slots] = 0
        cells.added_recorded[slots] = 0
        cells.is_touched[slots] = 0
        cells.touched_count[0] = 0
        return [*zip(*(column.tolist() for column in columns), strict=True), *totals]

    def _added_totals(self, slots: Int) -> Iterator[tuple[int, int, int, int]]:
        cells = self.cells
        admitted = _growth(cells.admitted[slots], cells.added_admitted[slots], cells.total_admitted[slots])
        recorded = _growth(cells.recorded[slots], cells.added_recorded[slots], cells.total_recorded[slots])
        grown = np.nonzero((recorded != 0) | (admitted != 0))[0]
        columns = (slots[grown], np.full(len(grown), TOTAL), admitted[grown], recorded[grown])
        return zip(*(column.tolist() for column in columns), strict=True)


def _growth(sums: Int, added: Int, totals: Int) -> Int:
    """What was added to totals that stop at MAX_SUM; shapes (slots, 16), (slots, 16) and (slots,)."""
    grown: Int = added.sum(axis=1)
    for full in np.nonzero(totals == MAX_SUM)[0]:
        before = sum(int(each) for each in sums[full] - added[full])
        grown[full] = MAX_SUM - min(before, MAX_SUM)
    return grown
