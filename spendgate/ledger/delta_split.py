"""Rows into the pieces that become files: one tenant and day each, in the order in which they came."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.columns import TIME
from spendgate.ledger.delta_tables import Shape


def stored_rows(batches: Sequence[pa.RecordBatch], shape: Shape) -> pa.Table:
    """The batches as one table of stored columns. Raises ValueError where a column is missing or of another type."""
    table = pa.Table.from_batches(batches, shape.schema) if batches else shape.schema.empty_table()
    if shape.by_day:
        at = pc.coalesce(table["received_at"].cast(TIME), table[shape.time])
        table = table.append_column("day", pc.cast(at, pa.date32(), safe=False))
    return table.cast(shape.stored)


def pieces(rows: pa.Table, partition_by: Sequence[str]) -> Iterator[tuple[Mapping[str, Any], pa.Table]]:
    """The rows of each combination of partition values, each in its order; sorted by these values."""
    if rows.num_rows == 0:
        return
    groups = rows.select(list(partition_by)).group_by(list(partition_by), use_threads=False).aggregate([])
    if groups.num_rows == 1:
        yield groups.to_pylist()[0], rows
        return
    codes = np.zeros(rows.num_rows, np.int64)
    for name in partition_by:
        column = pc.rank(rows[name], sort_keys="ascending", tiebreaker="dense").to_numpy(zero_copy_only=False)
        codes = codes * (int(column.max()) + 1) + column
    order = np.argsort(codes, kind="stable")
    bounds = np.flatnonzero(np.diff(codes[order])) + 1
    arranged = rows.take(pa.array(order))
    for start, end in zip([0, *bounds.tolist()], [*bounds.tolist(), rows.num_rows], strict=True):
        piece = arranged.slice(start, end - start)
        yield {name: piece[name][0].as_py() for name in partition_by}, piece
