"""Data files of a ledger's table: written here, named so that their order is known, read back from the log.

A file that Spendgate writes holds rows of one tenant and day (or one topic partition of checkpoints), of one topic
partition or of one import, in ledger order. Its name says which: ``log-<uuid>`` or
``import-<number>-<chunk>-<uuid>``. A file of any other name was written by another engine, and its order is unknown.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from spendgate.ledger.delta_tables import Shape

_OURS = re.compile(r"(?:log-|import-(\d{8,})-(\d{6,})-)[0-9a-f]{32}\.parquet$")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a table's version. ``partition``: its Delta partition values; ``least`` and ``greatest``: of the
    columns of ``Shape.statistics``, where known. ``ours``: in ledger order, of one topic partition or import.
    ``number`` and ``chunk``: of the import, 0 for rows of a log.
    """

    path: str
    size_bytes: int
    rows: int
    partition: Mapping[str, Any]
    least: Mapping[str, Any]
    greatest: Mapping[str, Any]
    ours: bool
    number: int = 0
    chunk: int = 0

    @property
    def source(self) -> tuple[str, int] | None:
        """Topic id and partition, or None for an import or a file whose order is unknown."""
        told = {**self.least, **self.partition}
        return (told["topic_id"], told["partition"]) if self.ours and told.get("topic_id") is not None else None

    def removal(self, *, data_change: bool = False) -> RemoveAction:
        """The action that takes this file out of the table; ``data_change``: and its rows with it."""
        values = {name: _partition_text(value) for name, value in self.partition.items()}
        return RemoveAction(self.path, data_change, _now_ms(), self.size_bytes, values)


def files_in(table: DeltaTable, shape: Shape, tenant: str | None = None) -> list[DataFile]:
    """The files of the table's version, of one tenant or of all, with what the log knows of them."""
    rows = pa.table(table.get_add_actions(flatten=True))
    if tenant is not None:
        rows = rows.filter(pc.equal(rows["partition.tenant"], tenant))
    return [_data_file(row, shape) for row in rows.to_pylist()]


def _data_file(row: Mapping[str, Any], shape: Shape) -> DataFile:
    named = _OURS.search(row["path"])
    least, greatest = ({c: row.get(f"{end}.{c}") for c in shape.statistics} for end in ("min", "max"))
    known = row.get("num_records") is not None and least.get(shape.time, _EPOCH) is not None
    return DataFile(
        row["path"],
        row["size_bytes"],
        row.get("num_records") or 0,
        {name: row[f"partition.{name}"] for name in shape.partition_by},
        least,
        greatest,
        named is not None and known,
        int(named[1] or 0) if named else 0,
        int(named[2] or 0) if named else 0,
    )


def log_file_name() -> str:
    """A fresh name for a file of rows of one topic partition."""
    return f"log-{uuid4().hex}.parquet"


def import_file_name(number: int, chunk: int) -> str:
    """A fresh name for a file of an import; equal times stand in the order of number and chunk."""
    return f"import-{number:08d}-{chunk:06d}-{uuid4().hex}.parquet"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the log is told of a file: rows, and the least and greatest values of some columns."""

    rows: int
    least: Mapping[str, Any]
    greatest: Mapping[str, Any]

    def as_json(self) -> str:
        """As Delta's protocol spells it; instants keep their microseconds."""
        return json.dumps(
            {
                "numRecords": self.rows,
                "minValues": {name: _json(value) for name, value in self.least.items() if value is not None},
                "maxValues": {name: _json(value) for name, value in self.greatest.items() if value is not None},
            }
        )


def statistics_of(rows: pa.Table, shape: Shape) -> Statistics:
    """The statistics of rows in stored columns."""
    ends = {name: pc.min_max(rows[name]) for name in shape.statistics}
    return Statistics(
        rows.num_rows,
        {name: _python(end["min"]) for name, end in ends.items()},
        {name: _python(end["max"]) for name, end in ends.items()},
    )


def _python(value: pa.Scalar) -> Any:
    if pa.types.is_timestamp(value.type) and value.is_valid:
        return _EPOCH + timedelta(microseconds=value.value)
    return value.as_py()


def _json(value: Any) -> Any:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value


class FileWriter:
    """Writes data files of one table; what it wrote counts only once the actions that it returns are committed."""

    def __init__(self, files: pafs.FileSystem, shape: Shape, *, data_change: bool = True) -> None:
        self._files = files
        self._shape = shape
        self._data_change = data_change
        self._written: list[str] = []

    def write(self, rows: pa.Table, partition: Mapping[str, Any], name: str) -> AddAction:
        """One file of ``rows``, which are in ledger order. Raises OSError."""
        with self.open(partition, name) as file:
            file.write_table(rows.select(self._shape.in_files.names), row_group_size=self._shape.row_group_rows)
        return self.action(partition, name, statistics_of(rows, self._shape))

    @contextmanager
    def open(self, partition: Mapping[str, Any], name: str) -> Iterator[pq.ParquetWriter]:
        """A file to be written piece by piece; tell of it by ``action`` afterwards."""
        path = _path(partition, name)
        self._files.create_dir(path.rpartition("/")[0], recursive=True)
        self._written.append(path)
        with (
            self._files.open_output_stream(path) as stream,
            pq.ParquetWriter(stream, self._shape.in_files, compression="zstd", compression_level=1) as writer,
        ):
            yield writer

    def action(self, partition: Mapping[str, Any], name: str, statistics: Statistics) -> AddAction:
        """What to commit for a file that has been written."""
        path = _path(partition, name)
        values = {key: _partition_text(value) for key, value in partition.items()}
        size = self._files.get_file_info(path).size
        return AddAction(path, size, values, _now_ms(), self._data_change, statistics.as_json())

    @contextmanager
    def discarding(self) -> Iterator[None]:
        """Delete what was written if an error comes meanwhile.

        Never put a commit inside: one that fails may have landed, its answer lost, and then its files are the
        ledger's. What a commit left behind goes with a vacuum.
        """
        try:
            yield
        except BaseException:
            for path in self._written:
                with suppress(OSError):
                    self._files.delete_file(path)
            raise


def _path(partition: Mapping[str, Any], name: str) -> str:
    """Of safe characters only; two tenants may share a folder, for their partition stands in the log."""
    folders = [f"{key}={_UNSAFE.sub('_', _partition_text(value) or '')}" for key, value in partition.items()]
    return "/".join([*folders, name])


def _partition_text(value: Any) -> str | None:
    return value.isoformat() if isinstance(value, date) else None if value is None else str(value)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
