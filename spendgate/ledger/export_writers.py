"""Rows into bytes: Parquet, CSV, JSON lines. A writer is given a sink, and then rows; it holds a row group at most."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_tables import SHAPES, TableName
from spendgate.ledger.event_documents import documents_of
from spendgate.ledger.export_csv import csv_header, csv_lines

Write = Callable[[pa.Table], None]
_encode, _encode_lines = msgspec.json.Encoder().encode, msgspec.json.Encoder().encode_lines
_GROUP_ROWS = 65_536


class _Counted:
    """A sink that need not be seekable: Parquet asks only how much has been written. ``is_broken``: write no more, for
    a writer that is let go of writes its footer, and a half-written file must not look like a whole one."""

    closed = is_broken = False

    def __init__(self, sink: BinaryIO) -> None:
        self._sink, self._bytes = sink, 0

    def write(self, part: bytes) -> int:
        if not self.is_broken:
            self._sink.write(part)
        self._bytes += len(part)
        return len(part)

    def tell(self) -> int:
        return self._bytes

    def flush(self) -> None:
        if not self.is_broken:
            self._sink.flush()


@contextmanager
def parquet_writer(
    sink: BinaryIO, schema: pa.Schema, about: Mapping[str, str], group_rows: int = _GROUP_ROWS
) -> Iterator[Write]:
    """``about`` stands in the footer, which comes last: without it the file is none."""
    counted, held = _Counted(sink), list[pa.Table]()
    writer = pq.ParquetWriter(
        pa.PythonFile(counted, "w"), schema.with_metadata(dict(about)), compression="zstd", compression_level=1
    )

    def put() -> None:
        writer.write_table(pa.concat_tables(held), row_group_size=group_rows)
        held.clear()

    def write(rows: pa.Table) -> None:
        held.append(rows)
        if sum(each.num_rows for each in held) >= group_rows:
            put()

    try:
        yield write
        if held:
            put()
        writer.close()
    except BaseException:
        counted.is_broken = True
        raise


@contextmanager
def csv_writer(sink: BinaryIO, names: Sequence[str]) -> Iterator[Write]:
    """See ``export_csv``."""
    sink.write(csv_header(list(names)))
    yield lambda rows: _put(sink, csv_lines(rows))


@contextmanager
def jsonl_writer(sink: BinaryIO, table: TableName) -> Iterator[Write]:
    """A line is an item of the pages."""
    yield lambda rows: _put(sink, b"".join(_lines(batch, table) for batch in rows.to_batches()))


def _lines(batch: pa.RecordBatch, table: TableName) -> bytes:
    return _encode_lines(decisions_of(batch) if table == "decisions" else list(documents_of(batch)))


def _put(sink: BinaryIO, part: bytes) -> None:
    sink.write(part)


def flat(rows: pa.Table, table: TableName) -> pa.Table:
    """Rows of a ledger's table without lists: the marks of a decision joined by spaces, its reasons as JSON."""
    if table != "decisions":
        return rows
    decisions = [each for batch in rows.to_batches() for each in decisions_of(batch)]
    marks = pa.array([" ".join(each.marks) for each in decisions], pa.string())
    reasons = pa.array([_encode(each.reasons).decode() for each in decisions], pa.string())
    names = rows.column_names
    return rows.set_column(names.index("marks"), "marks", marks).set_column(
        names.index("reasons"), "reasons", reasons
    )  # fmt: skip


def columns_of(table: TableName) -> list[str]:
    """The columns of a table's export as Parquet or CSV."""
    return list(SHAPES[table].schema.names)
