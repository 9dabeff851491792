"""The published decisions of one tenant and partition, by the place of their call, in the order of the log.

A worker that was killed publishes some of them again, so copies may stand further behind: those are found in a first
pass over the places alone, and are few. All others stream.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from spendgate.engine.decisions import Source
from spendgate.engine.rules import Int
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.record_columns import DECISIONS
from spendgate.model.decision import Decision
from spendgate.reconcile.codes import filled
from spendgate.simulate.ahead import read_ahead

BATCH_ROWS = 65_536
_INDEX_BITS = 20
LAST_PLACE = 2**63 - 1
_MAX_INDEX, _MAX_OFFSET = (1 << _INDEX_BITS) - 1, (1 << 42) - 1
_PLACE = [f"position_{name}" for name in ("topic", "partition", "offset", "index")]
_CODED = (
    "source", "position_topic", "verdict", "engine_version", "judged_set",
    *(f"reasons.list.element.{name}" for name in ("policy", "staging", "stage", "kind", "verdict", "code", "counter")),
)  # fmt: skip
_READ = [name for name in DECISIONS.names if name not in ("topic_id", "partition", "offset", "index", "received_at")]


def places(offsets: Int, indexes: Int) -> Int:
    """A place as one number, in the order of places. What is out of range, as in an altered row, is at its end."""
    index = np.where((indexes < 0) | (indexes > _MAX_INDEX), _MAX_INDEX, indexes)
    return (np.clip(offsets, 0, _MAX_OFFSET) << _INDEX_BITS) | index


def place_text(place: int) -> tuple[int, int]:
    """Offset and index of a place."""
    return place >> _INDEX_BITS, place & _MAX_INDEX


class Piece(NamedTuple):
    """Decisions, and the place of each, ascending."""

    rows: Any
    places: Int

    def chosen(self, which: Any) -> "Piece":
        """Those for which ``which`` is true."""
        return self if which.all() else Piece(self.rows.filter(pa.array(which)), self.places[which])


class Published:
    """``last``: the last place that a decision stands for, -1 for none; ``covered``: the last place that the ledger's
    events cover. ``copies``: by place, those that stand behind a later one in their topic, in its order. Raises
    LedgerError, here and while it streams."""

    def __init__(self, ledger: Ledger, tenant: str, source: Source, covered: int) -> None:
        self._ledger, self._tenant, self._source = ledger, tenant, source
        self.covered = (covered << _INDEX_BITS) | _MAX_INDEX
        self.last, self._late = -1, np.zeros(0, np.int64)
        self._find_late()
        self.copies = self._read_late() if len(self._late) else {}

    def _find_late(self) -> None:
        late, first = [], 0
        for rows in self._ledger.decision_batches(self._tenant, _PLACE, dictionaries=["position_topic"]):
            mine = np.flatnonzero(_is_of(rows, self._source))
            found = _places_of(rows)[mine]
            before = np.maximum.accumulate(np.concatenate(([self.last], found)))
            late.append(first + mine[found <= before[:-1]])
            self.last, first = int(before[-1]), first + rows.num_rows
        self._late = np.concatenate([*late, self._late])

    def _read_late(self) -> dict[int, list[Decision]]:
        found: dict[int, list[Decision]] = {}
        first = 0
        for rows in self._ledger.decision_batches(self._tenant, _READ, dictionaries=_CODED):
            here = self._late[slice(*np.searchsorted(self._late, (first, first + rows.num_rows)))] - first
            if len(here):
                chosen = rows.take(pa.array(here))
                for place, decision in zip(_places_of(chosen).tolist(), decisions_of(chosen), strict=True):
                    found.setdefault(place, []).append(decision)
            first += rows.num_rows
        return found

    def pieces(self) -> Generator[Piece]:
        """All but the copies, each place once, ascending; read ahead in a thread."""
        first = 0
        batches = self._ledger.decision_batches(self._tenant, _READ, batch_rows=BATCH_ROWS, dictionaries=_CODED)
        with closing(read_ahead(batches)) as ahead:
            for rows in ahead:
                kept = _is_of(rows, self._source)
                here = self._late[slice(*np.searchsorted(self._late, (first, first + rows.num_rows)))] - first
                kept[here] = False
                first += rows.num_rows
                if not kept.all():
                    rows = rows.filter(pa.array(kept))
                if rows.num_rows:
                    yield Piece(rows, _places_of(rows))


def _places_of(rows: Any) -> Int:
    return places(filled(rows["position_offset"]), filled(rows["position_index"]))


def _is_of(rows: Any, source: Source) -> Any:
    """Which decisions are of calls of this partition."""
    topics = rows["position_topic"]
    known = np.array([each == source.topic for each in topics.dictionary.to_pylist()] or [False])
    return known[filled(topics.indices, 0)] & (filled(rows["position_partition"]) == source.partition)


class Stream:
    """Hands out pieces stretch by stretch."""

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._pieces = pieces
        self._left: Piece | None = None

    def until(self, last: int) -> Iterator[Piece]:
        """What there is at places up to ``last``."""
        while (piece := self._left or next(self._pieces, None)) is not None:
            end = int(np.searchsorted(piece.places, last, side="right"))
            self._left = None if end == len(piece.places) else Piece(piece.rows.slice(end), piece.places[end:])
            if end:
                yield Piece(piece.rows.slice(0, end), piece.places[:end])
            if self._left is not None:
                return
