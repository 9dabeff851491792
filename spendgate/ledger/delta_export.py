"""The ledger's events into a file of one's own, Parquet or JSONL, whole or not at all."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.ledger.columns import EVENTS
from spendgate.ledger.event_rows import events_of
from spendgate.ledger.reader_problem import InputError

ExportFormat = Literal["parquet", "jsonl"]
_encode_lines = msgspec.json.Encoder().encode_lines


def export_format(path: Path) -> ExportFormat:
    """By the file's name. Raises InputError for any but ``.parquet`` and ``.jsonl``."""
    match path.suffix.lower():
        case ".parquet":
            return "parquet"
        case ".jsonl":
            return "jsonl"
    raise InputError("out: expected a name that ends in .parquet or .jsonl")


def export_events(batches: Iterable[pa.RecordBatch], path: Path, on_rows: Callable[[int], None] | None = None) -> int:
    """Write batches of ``columns.EVENTS``; Parquet keeps their places, JSONL holds the events alone.

    Returns the rows. Raises OSError and InputError, and leaves no part of a file behind.
    """
    writing = _parquet if export_format(path) == "parquet" else _jsonl
    rows = 0
    with _whole(path) as part, writing(part) as write:
        for batch in batches:
            write(batch)
            rows += batch.num_rows
            if on_rows is not None:
                on_rows(batch.num_rows)
    return rows


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pa.RecordBatch], None]]:
    with pq.ParquetWriter(path, EVENTS, compression="zstd") as writer:
        yield writer.write_batch


@contextmanager
def _jsonl(path: Path) -> Iterator[Callable[[pa.RecordBatch], object]]:
    with path.open("wb") as file:
        yield lambda batch: file.write(_encode_lines(events_of(batch)))
