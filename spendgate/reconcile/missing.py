"""Decisions that were never published: why, as far as the rest of the log can tell."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.rules import Int
from spendgate.reconcile.causes import Evidence, explained
from spendgate.reconcile.join import Difference
from spendgate.reconcile.owed import Owed, Owing
from spendgate.reconcile.published import place_text, places
from spendgate.reconcile.tally import MAX_EXAMPLES, Tally
from spendgate.simulate.log_pieces import LogPieces

MAX_LOOKED_UP = 1_000_000
"""So many are looked up by their identity; a longer list of missing decisions has another cause than that."""
_COLUMNS = ("kind", "duplicate", "source", "id", "offset", "index")


class _Noted(NamedTuple):
    """Missing decisions of one stretch, by place and identity, and the first of them whole."""

    places: Int
    names: Any
    examples: dict[int, Difference]
    stagings: tuple[str, ...]


class Missing:
    """Notes what is missing; ``settle`` finds out, in one pass over the log, which identities were accepted before."""

    def __init__(self, pieces: LogPieces, tally: Tally) -> None:
        self._pieces, self._tally = pieces, tally
        self._noted: list[_Noted] = []
        self._count = 0

    def note(self, owing: Owing, owed: Owed, keys: Int, rows: Int, stagings: Iterable[str]) -> None:
        """Note that some rows have no decision."""
        if not len(rows):
            return
        rows, over = rows[: max(0, MAX_LOOKED_UP - self._count)], rows[max(0, MAX_LOOKED_UP - self._count) :]
        self._count += len(rows)
        if len(over):
            (first,) = differences(owing, owed, keys, over[:1])
            self._tally.add(explained(first), stagings, len(over))
        first_ones = {
            int(keys[row]): each
            for row, each in zip(rows.tolist(), differences(owing, owed, keys, rows[:MAX_EXAMPLES]), strict=False)
        }
        names = _joined(owed.events["source"], owed.events["id"]).take(pa.array(rows))
        self._noted.append(_Noted(keys[rows], names, first_ones, tuple(stagings)))

    def settle(self) -> None:
        """Count what was noted, by cause."""
        before = self._accepted_before()
        for noted in self._noted:
            known = np.isin(noted.places, before)
            counts = Counter(known.tolist())
            for is_known in counts:
                evidence = Evidence(is_known_before=is_known)
                self._count_alike(noted, noted.places[known == is_known], evidence, counts[is_known])

    def _count_alike(self, noted: _Noted, at: Int, evidence: Evidence, count: int) -> None:
        shown = [noted.examples[place] for place in at.tolist() if place in noted.examples]
        for each in shown:
            self._tally.add(explained(each, evidence), noted.stagings)
        if count > len(shown):
            place = place_text(int(at[0]))
            self._tally.add_unshown(explained(Difference("missing", place, None, None), evidence), noted.stagings,
                                    count - len(shown))  # fmt: skip

    def _accepted_before(self) -> Int:
        """The places, among those noted, of calls whose identity a call before them has, and was accepted."""
        if not self._noted:
            return np.zeros(0, np.int64)
        names = pa.concat_arrays([noted.names for noted in self._noted])
        wanted, of_name = np.concatenate([noted.places for noted in self._noted]), names.dictionary_encode()
        earliest = np.full(len(of_name.dictionary), 2**63 - 1, np.int64)
        for batch in self._pieces.batches(_COLUMNS):
            is_call = pc.and_(pc.equal(batch["kind"], "call"), pc.invert(batch["duplicate"]))
            part = batch.filter(is_call)
            numbers = pc.index_in(_joined(part["source"], part["id"]), of_name.dictionary)
            found = np.flatnonzero(pc.is_valid(numbers).to_numpy(zero_copy_only=False))
            if len(found):
                at = places(*(part[name].to_numpy(zero_copy_only=False)[found] for name in ("offset", "index")))
                np.minimum.at(earliest, numbers.take(pa.array(found)).to_numpy(zero_copy_only=False), at)
        codes = of_name.indices.to_numpy(zero_copy_only=False)
        result: Int = wanted[earliest[codes] < wanted]
        return result


def differences(owing: Owing, owed: Owed, keys: Int, rows: Int) -> list[Difference]:
    """Missing decisions, whole."""
    decisions = owing.decisions(owed, rows)
    return [
        Difference("missing", place_text(int(keys[row])), mine, None)
        for row, mine in zip(rows.tolist(), decisions, strict=True)
    ]


def _joined(source: Any, name: Any) -> Any:
    plain = [column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column for column in (source, name)]
    return pc.binary_join_element_wise(*plain, " ")
