"""Parquet: our own columns, other columns by name or by a mapping, or a table of LiteLLM's; batch by batch."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from hashlib import file_digest
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.ledger.reader_arrow import REPEATING, as_events
from spendgate.ledger.reader_csv import Columns, event_of
from spendgate.ledger.reader_options import COST_USD, ReadOptions
from spendgate.ledger.reader_problem import EXPECTED_OF, FIELD_TYPES, InputError, Refused, RowProblem
from spendgate.ledger.reader_rows import Row
from spendgate.ledger.reader_values import cost, count, instant, readable_cost, truth
from spendgate.model.event import Event

ROWS = 8192
BATCH_ROWS = 65_536
_COUNTS = {field for field, words in EXPECTED_OF.items() if words == EXPECTED_OF["input_tokens"]}


class ParquetFile:
    """A Parquet file with random access. ``names``: its columns. ``row``: the last one given, from 1.

    Raises InputError for what is no whole Parquet file, when it is opened and when a part of it cannot be read.
    """

    def __init__(self, stream: Any, salt: str = "") -> None:
        try:
            plain = pq.ParquetFile(stream)
            texts = [field.name for field in plain.schema_arrow if pa.types.is_string(field.type)]
            repeating = [name for name in REPEATING if name in texts]
            self._file = pq.ParquetFile(stream, metadata=plain.metadata, read_dictionary=repeating)
        except (pa.ArrowException, OSError, ValueError):  # the last for names that are no UTF-8
            raise InputError("expected a whole Parquet file; this one may be half written") from None
        self.names: list[str] = list(self._file.schema_arrow.names)
        self.rows: int = self._file.metadata.num_rows
        self.row = 0
        self._stream, self._salt = stream, salt

    def identity(self) -> str:
        """64 bits of the hash of the whole file, for rows that have no id of their own."""
        self._stream.seek(0)
        digest = file_digest(self._stream, "sha256")
        digest.update(self._salt.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]

    @property
    def schema(self) -> pa.Schema:
        """Its columns as Arrow has them."""
        return self._file.schema_arrow

    def read(self, columns: Sequence[str], *, with_identity: bool) -> Iterator[Row]:
        """The rows, with these columns only; ``with_identity``: some may need one from their place."""
        whole = self.identity() if with_identity else ""
        for batch in self.batches(columns, ROWS):
            yield from self.rows_of(batch, whole)

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most so many rows, with these columns only."""
        batches = self._file.iter_batches(rows, columns=list(columns))
        while True:
            with self._told():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def rows_of(self, batch: pa.RecordBatch, whole: str = "") -> Iterator[Row]:
        """The rows of the next batch; ``whole``: see ``identity``."""
        with self._told():
            found = batch.to_pylist()
        for values in found:
            self.row += 1
            yield Row(self.row, f"{self.row}-{whole}", values)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, ValueError, OverflowError):
            raise InputError(f"row {self.row + 1}: expected a whole Parquet file; this one is damaged") from None


def read_parquet(file: ParquetFile, columns: Columns, options: ReadOptions) -> Iterator[Event | Refused]:
    """The events of a file whose columns are named, or mapped, as those of CSV."""
    wanted = list(dict.fromkeys(columns.mapping.values()))
    return _events(file.read(wanted, with_identity="id" not in columns.mapping), columns, options)


def read_own(
    file: ParquetFile, columns: Columns, options: ReadOptions
) -> Iterator[pa.RecordBatch | list[Event | Refused]]:
    """The same in the same order, of a file of our own columns: whole batches of ``columns.EVENTS`` where every row is
    an event, row by row where one may not be."""
    for batch in file.batches(list(columns.mapping), BATCH_ROWS):
        taken = as_events(batch, options)
        if taken is None:
            yield list(_events(file.rows_of(batch), columns, options))
        else:
            file.row += batch.num_rows
            yield taken


def _events(rows: Iterable[Row], columns: Columns, options: ReadOptions) -> Iterator[Event | Refused]:
    for row in rows:
        try:
            found = (_field(field, row.values[column]) for field, column in columns.mapping.items())
            fields = {field: value for field, value in found if value is not None}
            yield event_of(fields, row.identity, options)
        except RowProblem as problem:
            yield Refused(row.line, problem.field, problem.expected, _cost_of(row, columns))


def _field(field: str, value: Any) -> tuple[str, Any]:
    if value is None or value == "":
        return field, None
    if field == COST_USD:
        return "cost_nano_usd", cost(value, COST_USD)
    if field == "time":
        return field, _time(value)
    if field in _COUNTS:
        return field, count(value, field)
    if field == "cache_hit":
        return field, truth(value, field)
    return field, str(value) if isinstance(value, int) and field in FIELD_TYPES else value


def _time(value: Any) -> datetime:
    if not isinstance(value, (datetime, str)):
        raise RowProblem("time", EXPECTED_OF["time"])
    return instant(value, "time")


def _cost_of(row: Row, columns: Columns) -> int | None:
    if (column := columns.mapping.get(COST_USD)) is not None:
        return readable_cost(row.values[column])
    nano_usd = row.values.get(columns.mapping.get("cost_nano_usd", ""))
    return None if isinstance(nano_usd, bool) or not isinstance(nano_usd, int) else readable_cost(
        Decimal(nano_usd).scaleb(-9)
    )  # fmt: skip
