"""A glance: what judging one call, and keeping nothing of it, must know of the counters.

Of the 16 blocks that a rolling window touches, 14 lie wholly within it: of those a glance reads the total alone, and of
the two at its ends the buckets within. That is 60 numbers where a judge that goes on reads 512. The sums are the same.
What a glance cannot tell is when a breached rolling budget has room again: see ``is_enough``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.counters import VIEW
from spendgate.engine.decisions import Judgement
from spendgate.engine.names import TOTAL
from spendgate.engine.rules import ROLLING
from spendgate.engine.tenant import Prepared, Tenant
from spendgate.engine.windows import BLOCK


class _Piece(NamedTuple):
    """The buckets of a slot that are read, or TOTAL alone."""

    slot: int
    buckets: Sequence[int]


_ONLY_TOTAL = (TOTAL,)


class Glance:
    """What a judge that has loaded nothing needs for one prepared call. ValueError for several calls."""

    def __init__(self, judge: Tenant, prepared: Prepared) -> None:
        if len(prepared.calls.events) != 1:
            raise ValueError("prepared: expected one call")
        self._judge = judge
        self._pieces = list(_pieces(judge, prepared))

    def unloaded(self) -> dict[str, list[str]]:
        """What to read: slot name to its fields."""
        names = self._judge.names
        wanted: dict[str, list[str]] = {}
        for slot, buckets in self._pieces:
            fields = wanted.setdefault(names.slot(slot)[0], [])
            for bucket in buckets:
                fields.extend(names.totals(slot) if bucket == TOTAL else names.fields(slot, bucket))
        return wanted

    def load(self, cells: Mapping[str, Sequence[int]]) -> None:
        """Take the values of ``unloaded()``, field by field; an absent slot is empty."""
        names, counters = self._judge.names, self._judge.counters
        totals, buckets = {}, {}
        for slot, places in self._pieces:
            values = cells.get(names.slot(slot)[0])
            if not values:
                continue
            found = list(zip(places, values[::2], values[1::2], strict=True))
            if found[0][0] == TOTAL:
                totals[slot] = found[0][1:]
            else:
                buckets[slot] = found
        counters.load(buckets)
        counters.load_totals(totals)


def is_enough(judged: Judgement) -> bool:
    """Whether no rolling budget asks for the instant of its reset, which hangs on single buckets."""
    pairs = judged.batch.pairs
    return not ((pairs["reset"] != UNKNOWN) & (pairs["window_end"] == 0)).any()


def _pieces(judge: Tenant, prepared: Prepared) -> Iterator[_Piece]:
    pairs, rules = prepared.batch.pairs, judge.program.rules.rows
    for pair in pairs[pairs["ref"] != UNKNOWN]:
        ref = int(pair["ref"])
        if rules["window"][pair["rule"]] != ROLLING:
            yield _Piece(ref, (0,))
            continue
        slots, last = judge.counters.view_slots[ref].tolist(), int(pair["window"]) % BLOCK
        yield _Piece(slots[VIEW - 1], range(last + 1))
        yield from (_Piece(slot, _ONLY_TOTAL) for slot in slots[1 : VIEW - 1])
        if last + 1 < BLOCK:
            yield _Piece(slots[0], range(last + 1, BLOCK))
