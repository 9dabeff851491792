"""Open addressing over (counter, key, window): from a counter's cell block to its slot, in compiled code.

Plain integer arithmetic that stays below 2^62, so that the source also runs as Python.
"""

from typing import NamedTuple

import numpy as np

from spendgate.engine.jit import inlined, jit
from spendgate.engine.rules import Int

FULL = -1
_MASK31 = 0x7FFFFFFF


class Table(NamedTuple):
    """``places`` holds entry + 1, 0 where empty, and is at least twice as long as the entries' arrays.

    ``counter``, ``key``, ``window``: what entry e stands for. ``used``: one number, how many entries there are.
    """

    places: Int
    counter: Int
    key: Int
    window: Int
    used: Int


def new_table(capacity: int) -> Table:
    """An empty table for ``capacity`` entries, a power of two."""
    counter, key, window = (np.zeros(capacity, np.int64) for _ in range(3))
    return Table(np.zeros(2 * capacity, np.int64), counter, key, window, np.zeros(1, np.int64))


def grown(table: Table, capacity: int) -> Table:
    """The same entries under the same numbers, with room for ``capacity``."""
    used = int(table.used[0])
    bigger = new_table(capacity)
    for old, new in zip(table[1:4], bigger[1:4], strict=True):
        new[:used] = old[:used]
    bigger.used[0] = used
    _reindex(bigger)
    return bigger


@inlined
def _home(counter: int, key: int, window: int, size: int) -> int:
    mixed = (counter & _MASK31) * 0x2C1B3C6D
    mixed ^= (key & _MASK31) * 0x297A2D39
    mixed ^= (window & _MASK31) * 0x5BD1E995
    mixed ^= ((window >> 31) & _MASK31) * 0x1B873593
    mixed ^= mixed >> 29
    return ((mixed & _MASK31) * 0x45D9F3B >> 12) & (size - 1)


@jit
def find_or_add(table: Table, counter: int, key: int, window: int) -> int:
    """The entry for (counter, key, window), made if there is none; FULL, and nothing is made, without room."""
    size = table.places.shape[0]
    at = _home(counter, key, window, size)
    while True:
        entry = table.places[at] - 1
        if entry < 0:
            break
        if table.counter[entry] == counter and table.key[entry] == key and table.window[entry] == window:
            return int(entry)
        at = (at + 1) & (size - 1)
    entry = table.used[0]
    if entry >= table.counter.shape[0]:
        return FULL
    table.counter[entry] = counter
    table.key[entry] = key
    table.window[entry] = window
    table.places[at] = entry + 1
    table.used[0] = entry + 1
    return int(entry)


@jit
def _reindex(table: Table) -> None:
    size = table.places.shape[0]
    for entry in range(table.used[0]):
        at = _home(table.counter[entry], table.key[entry], table.window[entry], size)
        while table.places[at] > 0:
            at = (at + 1) & (size - 1)
        table.places[at] = entry + 1
