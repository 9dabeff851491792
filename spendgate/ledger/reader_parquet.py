"""Parquet: our own columns, other columns by name or by a mapping, or a table of LiteLLM's; batch by batch."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import file_digest
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.ledger.reader_csv import Columns, event_of
from spendgate.ledger.reader_options import COST_USD, ReadOptions
from spendgate.ledger.reader_problem import EXPECTED_OF, FIELD_TYPES, InputError, Refused, RowProblem
from spendgate.ledger.reader_rows import Row
from spendgate.ledger.reader_values import cost, count, instant, readable_cost, truth
from spendgate.model.event import Event

ROWS = 8192
_COUNTS = {field for field, words in EXPECTED_OF.items() if words == EXPECTED_OF["input_tokens"]}


class ParquetFile:
    """A Parquet file with random access. ``names``: its columns. ``row``: the last one given, from 1.

    Raises InputError for what is no whole Parquet file, when it is opened and when a part of it cannot be read.
    """

    def __init__(self, stream: Any, salt: str = "") -> None:
        try:
            self._file = pq.ParquetFile(stream)
        except (pa.ArrowException, OSError):
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

    def read(self, columns: Sequence[str], *, with_identity: bool) -> Iterator[Row]:
        """The rows, with these columns only; ``with_identity``: some may need one from their place."""
        whole = self.identity() if with_identity else ""
        batches = self._file.iter_batches(ROWS, columns=list(columns))
        while True:
            try:
                batch = next(batches, None)
                rows = [] if batch is None else batch.to_pylist()
            except (pa.ArrowException, OSError, ValueError, OverflowError):
                raise InputError(f"row {self.row + 1}: expected a whole Parquet file; this one is damaged") from None
            if batch is None:
                return
            for values in rows:
                self.row += 1
                yield Row(self.row, f"{self.row}-{whole}", values)


def read_parquet(file: ParquetFile, columns: Columns, options: ReadOptions) -> Iterator[Event | Refused]:
    """The events of a file whose columns are named, or mapped, as those of CSV."""
    wanted = list(dict.fromkeys(columns.mapping.values()))
    return _events(file.read(wanted, with_identity="id" not in columns.mapping), columns, options)


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
