"""Calls of one tenant as columns, and the numbering of what their names combine to."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from spendgate.engine.jit import jit
from spendgate.engine.rules import Int
from spendgate.engine.table import FULL, Table, find_or_add, grown, new_table

Values = tuple[str | None, ...]
_FIRST_CAPACITY = 1024


class CallColumns(NamedTuple):
    """One entry a call, in log order.

    ``time_ms``, ``received_ms``: the event's own time and the broker's. ``skipped``: 1 for a duplicate, and for an
    annotation, which only moves the clock. ``cost``: nano-USD, UNKNOWN if unpriced. Tokens: counts, UNKNOWN if not
    said. ``names``: by field, numbers that a ``Names`` of that field gave out.
    """

    time_ms: Int
    received_ms: Int
    skipped: Int
    cost: Int
    input_tokens: Int
    output_tokens: Int
    names: Mapping[str, Int]


@dataclass(slots=True)
class Names:
    """The values of one field, numbered as they come; None is a value too."""

    values: list[str | None] = field(default_factory=list)
    _numbers: dict[str | None, int] = field(default_factory=dict)

    def numbers(self, codes: Int, dictionary: Sequence[str | None]) -> Int:
        """Numbers for a dictionary-encoded column."""
        known = self._numbers
        for value in dictionary:
            if value not in known:
                known[value] = len(self.values)
                self.values.append(value)
        table: Int = np.array([known[value] for value in dictionary], np.int64)
        return table[codes] if len(table) else np.zeros(len(codes), np.int64)


@dataclass(slots=True)
class Combinations:
    """Numbers for the combinations of values of some fields, and what each stands for (``meaning``)."""

    fields: tuple[str, ...]
    names: Mapping[str, Names]
    meaning: Callable[[Values], int]
    meanings: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    _tables: list[Table] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._tables = [new_table(_FIRST_CAPACITY) for _ in self.fields[1:]]

    def of(self, columns: CallColumns) -> Int:
        """What the combination of each call means."""
        numbers = self._numbers(columns)
        known = len(self.meanings)
        if self._count() > known:
            fresh = [self.meaning(self.values(number)) for number in range(known, self._count())]
            self.meanings = np.concatenate((self.meanings, np.array(fresh, np.int64)))
        return self.meanings[numbers]

    def values(self, number: int) -> Values:
        """The values that a number stands for."""
        found: list[str | None] = []
        for name, table in zip(self.fields[:0:-1], self._tables[::-1], strict=True):
            found.append(self.names[name].values[int(table.window[number])])
            number = int(table.key[number])
        return (self.names[self.fields[0]].values[number], *found[::-1]) if self.fields else ()

    def _count(self) -> int:
        if not self.fields:
            return 1
        return int(self._tables[-1].used[0]) if self._tables else len(self.names[self.fields[0]].values)

    def _numbers(self, columns: CallColumns) -> Int:
        if not self.fields:
            return np.zeros(len(columns.time_ms), np.int64)
        numbers = columns.names[self.fields[0]]
        for at, name in enumerate(self.fields[1:]):
            numbers = self._paired(at, numbers, columns.names[name])
        return numbers

    def _paired(self, at: int, left: Int, right: Int) -> Int:
        found = np.empty(len(left), np.int64)
        done = 0
        while (done := _pair(self._tables[at], left, right, found, done)) < len(left):
            self._tables[at] = grown(self._tables[at], 2 * len(self._tables[at].counter))
        return found


@jit
def _pair(table: Table, left: Int, right: Int, found: Int, begin: int) -> int:
    """Number pairs from ``begin`` on; how far the table had room."""
    for at in range(begin, left.shape[0]):
        entry = find_or_add(table, 0, left[at], right[at])
        if entry == FULL:
            return at
        found[at] = entry
    return len(left)
