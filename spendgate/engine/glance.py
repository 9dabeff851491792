"""A glance: what judging one call, and keeping nothing of it, must know of the counters.

Of the 16 blocks that a rolling window touches, 14 lie wholly within it: of those a glance reads the total alone, and of
the two at its ends the buckets within. That is 60 numbers where a judge that goes on reads 512. The sums are the same.
What a glance cannot tell is when a breached rolling budget has room again: see ``is_enough``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.counters import TOTAL, VIEW
from spendgate.engine.decisions import Judgement
from spendgate.engine.names import SlotNames
from spendgate.engine.rules import ROLLING
from spendgate.engine.tenant import Prepared, Tenant
from spendgate.engine.windows import BLOCK


class _Piece(NamedTuple):
    """The fields of a slot that are read: of its buckets from ``first`` on, or TOTAL alone."""

    name: str
    slot: int
    first: int
    fields: Sequence[str]


class Glance:
    """What a judge that has loaded nothing needs for one prepared call. ValueError for several calls."""

    def __init__(self, judge: Tenant, prepared: Prepared) -> None:
        if len(prepared.calls.events) != 1:
            raise ValueError("prepared: expected one call")
        self._counters = judge.counters
        self._pieces: list[_Piece] = []
        self.spans: dict[int, tuple[int, int]] = {}
        """By pair: the first and the last of the places, among the slots that are read, of its window."""
        for pair, pieces in _pieces(judge, prepared):
            first = len(self._pieces)
            self._pieces += pieces
            self.spans[pair] = first, len(self._pieces) - 1

    def unloaded(self) -> dict[str, Sequence[str]]:
        """What to read: slot name to its fields."""
        return {piece.name: piece.fields for piece in self._pieces}

    def load(self, cells: Mapping[str, Sequence[int]]) -> None:
        """Take the values of ``unloaded()``, field by field; an absent slot is empty."""
        for name, slot, first, _ in self._pieces:
            sums = cells.get(name)
            if not sums:
                continue
            if first == TOTAL:
                self._counters.load_total(slot, sums[0], sums[1])
            else:
                self._counters.load_part(slot, first, sums)


def is_enough(judged: Judgement) -> bool:
    """Whether no rolling budget asks for the instant of its reset, which hangs on single buckets."""
    pairs = judged.batch.pairs
    return not ((pairs["reset"] != UNKNOWN) & (pairs["window_end"] == 0)).any()


def _pieces(judge: Tenant, prepared: Prepared) -> Iterator[tuple[int, list[_Piece]]]:
    """For each pair of a budget that looks, what is read of its window, the call's own bucket first."""
    pairs, rules, names = prepared.batch.pairs, judge.program.rules.rows, judge.names
    columns = (pairs["rule"].tolist(), pairs["ref"].tolist(), pairs["window"].tolist())
    for pair, (rule, ref, window) in enumerate(zip(*columns, strict=True)):
        if ref == UNKNOWN:
            continue
        prefix, group = names.prefix(rule), int(rules["group"][rule])
        key = int(prepared.batch.keys[group, 0])
        if rules["window"][rule] == ROLLING:
            yield pair, list(_blocks(names, prefix, key, judge.counters.view_slots[ref].tolist(), window))
        else:
            yield pair, [_Piece(f"{prefix}{window}", ref, 0, names.all_of(key, 1))]


def _blocks(names: SlotNames, prefix: str, key: int, slots: Sequence[int], bucket: int) -> Iterator[_Piece]:
    """The 16 blocks of the window that ends with ``bucket``."""
    youngest, end = bucket // BLOCK, bucket % BLOCK + 1
    fields, totals = names.all_of(key, BLOCK), names.totals_of(key)
    yield _Piece(f"{prefix}{youngest}", slots[VIEW - 1], 0, fields[: 2 * end])
    for back in range(1, VIEW - 1):
        yield _Piece(f"{prefix}{youngest - back}", slots[VIEW - 1 - back], TOTAL, totals)
    if end < BLOCK:
        yield _Piece(f"{prefix}{youngest - VIEW + 1}", slots[0], end, fields[2 * end :])
