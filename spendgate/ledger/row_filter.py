"""Which rows of the ledger are wanted: by columns, by one reason of a decision, by the event's own time."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.delta_tables import SHAPES, TableName
from spendgate.ledger.export_formats import BY_COLUMN, BY_REASON, Exported, check_filters

Hits = npt.NDArray[np.bool_]


class Wanted(NamedTuple):
    """Which rows: ``values``: by column; ``reasons``: by field of one reason, all of the same one; times of the event,
    half open, aware; ``between``: numbers or instants by column, both ends included."""

    values: Mapping[str, str | int] = {}
    reasons: Mapping[str, str] = {}
    from_: datetime | None = None
    to: datetime | None = None
    between: Mapping[str, tuple[Any, Any]] = {}

    def columns(self, table: TableName) -> list[str]:
        """The columns that ``hits`` looks at; a field of reasons as ``reasons.<field>``."""
        time = [SHAPES[table].time] if self.from_ is not None or self.to is not None else []
        return [*self.values, *self.between, *time, *(f"reasons.{name}" for name in self.reasons)]

    def may_be_among(self, ends: Mapping[str, tuple[Any, Any]]) -> bool:
        """Whether rows with these least and greatest values, of columns where they are known, may be wanted."""
        spans = {**{name: (value, value) for name, value in self.values.items()}, **self.between}
        return all(
            name not in ends or (ends[name][0] <= greatest and ends[name][1] >= least)
            for name, (least, greatest) in spans.items()
        )

    def hits(self, rows: pa.RecordBatch | pa.Table, table: TableName) -> Hits:
        """Which of ``rows`` are wanted. They have at least the ``columns``."""
        found = np.ones(rows.num_rows, np.bool_)
        for test in self._tests(rows, table):
            found &= _truth(test)
        if self.reasons and rows.num_rows:
            found &= _of_reasons(_one(rows["reasons"]), self.reasons)
        return found

    def _tests(self, rows: pa.RecordBatch | pa.Table, table: TableName) -> Iterator[Any]:
        for name, value in self.values.items():
            yield pc.equal(rows[name], value)
        for name, (least, greatest) in self.between.items():
            first, last = (pa.scalar(each, rows[name].type) for each in (least, greatest))
            yield pc.and_(pc.greater_equal(rows[name], first), pc.less_equal(rows[name], last))
        time = SHAPES[table].time
        if self.from_ is not None:
            yield pc.greater_equal(rows[time], pa.scalar(self.from_, rows[time].type))
        if self.to is not None:
            yield pc.less(rows[time], pa.scalar(self.to, rows[time].type))


def _truth(test: Any) -> Hits:
    found: Hits = pc.fill_null(test, fill_value=False).to_numpy(**_COPY if isinstance(test, pa.Array) else {})
    return found


_COPY = {"zero_copy_only": False}


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _of_reasons(column: pa.Array, wanted: Mapping[str, str]) -> Hits:
    """Which rows have a reason of which all fields are as wanted."""
    flat = column.flatten()
    hit = np.ones(len(flat), np.bool_)
    for name, value in wanted.items():
        hit &= _truth(pc.equal(pc.struct_field(flat, name), value))
    rows = np.zeros(len(column), np.bool_)
    rows[pc.list_parent_indices(column).to_numpy()[hit]] = True
    return rows


def wanted_of(
    table: Exported, said: Mapping[str, str], from_: datetime | None = None, to: datetime | None = None
) -> Wanted:
    """What was said by name and value. Raises InputError for a name that the table is not filtered by."""
    check_filters(table, said)
    values, reasons = ({name: said[name] for name in names if name in said}
                       for names in (BY_COLUMN[table], BY_REASON[table]))  # fmt: skip
    return Wanted(values, reasons, from_, to)
