"""Rows of data files piece by piece; of each piece only what is asked for is read.

A piece is a row group of a file whose order is known, or all rows of files that overlap, sorted.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.ledger.delta_files import DataFile
from spendgate.ledger.delta_reader import shaped
from spendgate.ledger.delta_tables import SHAPES, Shape, TableName
from spendgate.ledger.ledger_errors import told_of

Places = npt.NDArray[np.int64]
BATCH_ROWS = 8_192


class Piece(ABC):
    """Rows of one table and tenant in the order of the log, numbered from 0. Its methods raise LedgerError."""

    def __init__(self, rows: int, table: TableName, tenant: str) -> None:
        self.rows = rows
        self.table, self.tenant = table, tenant

    @property
    def shape(self) -> Shape:
        """The table's."""
        return SHAPES[self.table]

    def may_have(self, time: datetime) -> bool:
        """Whether a row may have this value of the table's own time."""
        return True

    def columns(self, names: Sequence[str]) -> pa.Table:
        """These columns of all rows; ``reasons.policy`` is that field of the reasons. One that a file lacks is null."""
        with told_of(self.table):
            found = self._columns(list(dict.fromkeys(names)))
        for name in names:
            if "." not in name and name not in found.column_names:
                found = found.append_column(name, pa.nulls(found.num_rows, self.shape.in_files.field(name).type))
        return found

    def batches(self, places: Places) -> Iterator[pa.RecordBatch]:
        """All columns of the rows at ``places``, which ascend; it reads as far as the last of them."""
        with told_of(self.table):
            first, read = 0, self._batches()
            while len(places) and first <= places[-1]:
                batch = next(read)
                here = places[np.searchsorted(places, first) : np.searchsorted(places, first + batch.num_rows)]
                if len(here):
                    chosen = batch if len(here) == batch.num_rows else batch.take(pa.array(here - first))
                    yield shaped(self._whole(chosen), self.shape.schema, {"tenant": self.tenant})
                first += batch.num_rows

    def _whole(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """With the columns that a file of an earlier version lacks."""
        for field in self.shape.in_files:
            if field.name not in batch.schema.names:
                batch = batch.append_column(field, pa.nulls(batch.num_rows, field.type))
        return batch

    @abstractmethod
    def _columns(self, names: Sequence[str]) -> pa.Table: ...

    @abstractmethod
    def _batches(self) -> Iterator[pa.RecordBatch]: ...


class RowGroup(Piece):
    """One row group of an open file whose order is known. ``ends``: by column, the least and the greatest value where
    the file has them. ``offsets`` and ``times`` (of the table's own time): else those of the file."""

    def __init__(self, opened: pq.ParquetFile, number: int, file: DataFile, table: TableName, tenant: str) -> None:
        super().__init__(opened.metadata.row_group(number).num_rows, table, tenant)
        self._file, self._number, self.source, self.name = opened, number, file.source, file.path
        self._paths = [opened.schema.column(place).path for place in range(len(opened.schema.names))]
        self.ends = _ends(opened.metadata.row_group(number))
        time = self.shape.time
        self.offsets: tuple[int, int] = self.ends.get("offset", (file.least["offset"], file.greatest["offset"]))
        self.times: tuple[datetime, datetime] = self.ends.get(time, (file.least[time], file.greatest[time]))

    def may_have(self, time: datetime) -> bool:
        """By the least and the greatest."""
        return self.times[0] <= time <= self.times[1]

    def _columns(self, names: Sequence[str]) -> pa.Table:
        leaves = [leaf for name in names for leaf in self._leaves(name)]
        return self._file.read_row_group(self._number, columns=leaves, use_threads=False)

    def _leaves(self, name: str) -> Iterable[str]:
        """A column, or one field of a list of structs, as Parquet has them."""
        column, _, field = name.partition(".")
        end = f".{field}" if field else ""
        return (each for each in self._paths if each.split(".")[0] == column and each.endswith(end))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        batches: Iterator[pa.RecordBatch] = self._file.iter_batches(
            BATCH_ROWS, row_groups=[self._number], use_threads=False
        )
        return batches


def _ends(group: Any) -> dict[str, tuple[Any, Any]]:
    columns = (group.column(number) for number in range(group.num_columns))
    return {
        each.path_in_schema: (each.statistics.min, each.statistics.max)
        for each in columns
        if each.statistics is not None and each.statistics.has_min_max
    }


def overlapping(pieces: Iterable[RowGroup]) -> Iterator[list[RowGroup]]:
    """Row groups of one topic partition in the order of the log, those whose rows may interleave together.

    Two of one file follow each other, though a message may end in the second."""
    group: list[RowGroup] = []
    for piece in sorted(pieces, key=lambda each: each.offsets):
        end = max((each.offsets[1] for each in group), default=-1)
        if group and piece.offsets[0] >= end and (piece.offsets[0] > end or piece.name == group[-1].name):
            yield group
            group = []
        group.append(piece)
    if group:
        yield group


class InMemory(Piece):
    """Rows that have been read."""

    @classmethod
    def sorted(cls, pieces: Sequence[RowGroup]) -> "InMemory":
        """All rows of row groups of one topic partition. Raises LedgerError."""
        read = pa.concat_tables([each.columns(each.shape.in_files.names) for each in pieces])
        order = np.lexsort((read["index"].to_numpy(), read["offset"].to_numpy()))
        return cls(read.combine_chunks().take(pa.array(order)), pieces[0].table, pieces[0].tenant)

    def __init__(self, rows: pa.Table, table: TableName, tenant: str) -> None:
        super().__init__(rows.num_rows, table, tenant)
        self._rows = rows

    def _columns(self, names: Sequence[str]) -> pa.Table:
        return self._rows.select(list(dict.fromkeys(name.partition(".")[0] for name in names)))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        return iter(self._rows.to_batches(BATCH_ROWS))
