"""A tenant's rows that are wanted, in the order of the log or against it, from a place on.

Files and row groups that cannot hold any are left out, by what the Delta log and the files say of them; of the others
the columns that decide are read first. Rows that were imported have no place in the log, and are not among them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spendgate.ledger.delta_files import DataFile
from spendgate.ledger.delta_order import Scan, eras_of, runs
from spendgate.ledger.delta_pieces import BATCH_ROWS, InMemory, Piece, Places, RowGroup, overlapping
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import SHAPES, Shape, TableName
from spendgate.ledger.delta_times import Times
from spendgate.ledger.ledger_errors import told_of
from spendgate.ledger.row_filter import Hits, Wanted

T = TypeVar("T")


class Place(NamedTuple):
    """Where a row stands: the topic's id, partition, offset, and index in the message."""

    topic_id: str
    partition: int
    offset: int
    item: int


PLACE = ("topic_id", "partition", "offset", "index")


class Selection(NamedTuple):
    """A table's rows of one tenant that are ``wanted``; with ``after``, those beyond it in the order alone. ``only``:
    of these data files, by their paths."""

    table: TableName
    tenant: str
    wanted: Wanted = Wanted()
    after: Place | None = None
    newest_first: bool = False
    only: frozenset[str] | None = None

    @property
    def shape(self) -> Shape:
        """The table's."""
        return SHAPES[self.table]


class Reading:
    """One selection of a ledger. ``eras``: of the tenant's topics, by which it is in order."""

    def __init__(self, ledger: Ledger, chosen: Selection) -> None:
        self._ledger, self._chosen = ledger, chosen
        self._stored = ledger.files_of(chosen.table, chosen.tenant)
        self._eras = eras_of(self._stored)

    def pieces(self) -> Iterator[Piece]:
        """The pieces in which wanted rows may be, in the order asked for; within a piece the order is the log's.

        Topics come one after the other, the earliest first; in a topic its partitions. Raises LedgerError.
        """
        files = [file for file in self._stored if self._may_hold(file)]
        in_order = list(runs(files, self._chosen.shape, self._eras))
        for run in self._turned(in_order):
            yield from self._row_groups(run) if all(file.ours for file in run) else self._sorted(run)

    def hits(self, piece: Piece) -> Places:
        """The numbers of a piece's rows that are wanted, ascending. Raises LedgerError."""
        wanted, after = self._chosen.wanted, self._chosen.after
        if self._none_has_the_first(piece):
            return np.array([], np.int64)
        if after is not None and self._is_wholly_beyond(piece, after):
            after = None
        names = wanted.columns(self._chosen.table) + ([] if after is None else list(PLACE))
        if not names:
            return np.arange(piece.rows)
        rows = piece.columns(names)
        found = wanted.hits(rows, self._chosen.table)
        if after is not None:
            found &= self._is_beyond(rows, after)
        return np.flatnonzero(found)

    def _none_has_the_first(self, piece: Piece) -> bool:
        """Whether no row has the first value that is wanted; then the other columns need not be read."""
        first = next(iter(self._chosen.wanted.values.items()), None)
        if first is None:
            return False
        name, value = first
        return not pc.any(pc.equal(piece.columns([name])[name], value)).as_py()

    def _is_wholly_beyond(self, piece: Piece, after: Place) -> bool:
        """Whether all rows are beyond a place, by their offsets."""
        if not isinstance(piece, RowGroup) or piece.source != after[:2]:
            return False
        first, last = piece.offsets
        return last < after.offset if self._chosen.newest_first else first > after.offset

    def _may_hold(self, file: DataFile) -> bool:
        if self._chosen.only is not None and file.path not in self._chosen.only:
            return False
        if not file.ours:
            return True
        time, after = self._chosen.shape.time, self._chosen.after
        if file.source is None or not self._times.may_be_in(file.least[time], file.greatest[time]):
            return False
        if not self._chosen.wanted.may_be_among({name: (file.least[name], file.greatest[name]) for name in file.least}):
            return False
        return after is None or self._reaches(file.source, (file.least["offset"], file.greatest["offset"]), after)

    @property
    def _times(self) -> Times:
        return Times(self._chosen.wanted.from_, self._chosen.wanted.to)

    def _reaches(self, source: tuple[str, int], offsets: tuple[int, int], after: Place) -> bool:
        """Whether rows between two offsets, both included, may be beyond a place."""
        first, last = ((self._era(source[0]), source[1], offset) for offset in offsets)
        bound = (self._era(after.topic_id), after.partition, after.offset)
        return first <= bound if self._chosen.newest_first else last >= bound

    def _era(self, topic_id: str) -> int:
        """A topic that the tenant has no rows of (any more) stands before all."""
        return self._eras.get(topic_id, -1)

    def _turned(self, in_order: Sequence[T]) -> Iterable[T]:
        return reversed(in_order) if self._chosen.newest_first else in_order

    def _row_groups(self, run: Sequence[DataFile]) -> Iterator[Piece]:
        """Files of one topic partition, each in order; where two overlap, as after a clock was set back at midnight,
        their row groups that do become one piece."""
        for files in self._turned(_touching(run)):
            with ExitStack() as exits:
                found = [piece for file in files for piece in self._opened(file, exits) if self._may_be_in(piece)]
                for group in self._turned(list(overlapping(found))):
                    yield group[0] if len(group) == 1 else InMemory.sorted(group)

    def _opened(self, file: DataFile, exits: ExitStack) -> Iterator[RowGroup]:
        with told_of(self._chosen.table):
            files = self._ledger.store.files_of(self._chosen.table)
            opened = pq.ParquetFile(exits.enter_context(files.open_input_file(file.path)), pre_buffer=True)
        for number in range(opened.num_row_groups):
            yield RowGroup(opened, number, file, self._chosen.table, self._chosen.tenant)

    def _may_be_in(self, piece: RowGroup) -> bool:
        after = self._chosen.after
        if not self._times.may_be_in(*piece.times) or not self._chosen.wanted.may_be_among(piece.ends):
            return False
        return after is None or piece.source is None or self._reaches(piece.source, piece.offsets, after)

    def _sorted(self, run: Sequence[DataFile]) -> Iterator[Piece]:
        """Files whose order is unknown, and those that they may overlap; holds all their rows."""
        chosen, in_files = self._chosen, self._chosen.shape.in_files
        files, placed = self._ledger.store.files_of(chosen.table), pc.field("topic_id").is_valid()
        scan = Scan(files, chosen.shape, self._eras, in_files.names, BATCH_ROWS, placed)
        with told_of(chosen.table):
            yield InMemory(pa.Table.from_batches(scan.batches(run), in_files), chosen.table, chosen.tenant)

    def _is_beyond(self, rows: pa.Table, after: Place) -> Hits:
        """Which rows are beyond a place, compared key by key, the weightiest first."""
        topics = rows["topic_id"].combine_chunks().dictionary_encode()
        eras = np.array([self._era(each) for each in topics.dictionary.to_pylist()], np.int64)
        keys = (eras[topics.indices.to_numpy()], *(rows[name].to_numpy() for name in PLACE[1:]))
        beyond, level = np.zeros(rows.num_rows, np.bool_), np.ones(rows.num_rows, np.bool_)
        for key, bound in zip(keys, (self._era(after.topic_id), *after[1:]), strict=True):
            beyond |= level & (key < bound if self._chosen.newest_first else key > bound)
            level &= key == bound
        return beyond


def _touching(run: Sequence[DataFile]) -> list[list[DataFile]]:
    """Files of one topic partition in the order of the log, those whose rows may interleave together."""
    found: list[list[DataFile]] = []
    end = -1
    for file in sorted(run, key=lambda each: (each.least["offset"], each.greatest["offset"])):
        if found and file.least["offset"] <= end:
            found[-1].append(file)
        else:
            found.append([file])
        end = max(end, file.greatest["offset"])
    return found


def rows(ledger: Ledger, chosen: Selection) -> Iterator[pa.RecordBatch]:
    """The wanted rows in the order of the log, in batches of at most BATCH_ROWS. Raises LedgerError."""
    reading = Reading(ledger, chosen)
    for piece in reading.pieces():
        yield from piece.batches(reading.hits(piece))


def place_of(piece: Piece, row: int) -> Place:
    """Where a row of a piece stands."""
    found = piece.columns(PLACE).slice(row, 1).to_pylist()[0]
    return Place(*(found[name] for name in PLACE))
