"""The ledger's Delta tables under one root: their columns, partitions and schema version; opening and creating them.

======================  ===========================================================================
property of a table     meaning
======================  ===========================================================================
spendgate.schemaVersion  of its columns; a later version only adds columns
======================  ===========================================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, Field, Schema
from deltalake.fs import DeltaStorageHandler

from spendgate.ledger.columns import EVENTS
from spendgate.ledger.ledger_errors import LedgerMissing, LedgerTooNew, LedgerUnreadable, told_of
from spendgate.ledger.record_columns import ACTIVATIONS, CHECKPOINTS, CHECKS, DECISIONS, REJECTIONS

TableName = Literal["events", "decisions", "activations", "checkpoints", "checks", "rejections"]
TABLES: tuple[TableName, ...] = ("events", "decisions", "activations", "checkpoints", "checks", "rejections")

SCHEMA_VERSION = 2
VERSION_KEY = "spendgate.schemaVersion"
_STORED_TIME = pa.timestamp("us", "UTC")
_DAY = pa.field("day", pa.date32())


@dataclass(frozen=True)
class Shape:
    """A table's columns as read, its Delta partition columns, and the column of a record's own time.

    ``row_group_rows``: of a file as it is written. A page of decisions reads one row group, and their reasons take ten
    times as long to read as an event; events are mostly read from end to end.

    A record's day is the UTC day of received_at, or of its own time where it has none.
    """

    schema: pa.Schema
    partition_by: tuple[str, ...]
    time: str
    row_group_rows: int = 131_072

    @property
    def by_day(self) -> bool:
        """Whether the table is partitioned by tenant and day; else by topic id and partition."""
        return "day" in self.partition_by

    @cached_property
    def stored(self) -> pa.Schema:
        """The columns as Delta has them: it knows instants to the microsecond alone."""
        fields = [_stored(field) for field in self.schema]
        return pa.schema([*fields, _DAY] if self.by_day else fields)

    @cached_property
    def in_files(self) -> pa.Schema:
        """The columns that stand in a data file: all but those of the partition."""
        return pa.schema([field for field in self.stored if field.name not in self.partition_by])

    @cached_property
    def statistics(self) -> tuple[str, ...]:
        """The columns of which each file's least and greatest value are kept in the log."""
        wanted = ("topic_id", "partition", "offset", "received_at", self.time)
        return tuple(name for name in wanted if name in self.in_files.names)


def _stored(field: pa.Field) -> pa.Field:
    return field.with_type(_STORED_TIME) if pa.types.is_timestamp(field.type) else field


_BY_TENANT_AND_DAY = ("tenant", "day")
SHAPES: Mapping[TableName, Shape] = {
    "events": Shape(EVENTS, _BY_TENANT_AND_DAY, "time"),
    "decisions": Shape(DECISIONS, _BY_TENANT_AND_DAY, "event_time", 16_384),
    "activations": Shape(ACTIVATIONS, _BY_TENANT_AND_DAY, "time"),
    "checkpoints": Shape(CHECKPOINTS, ("topic_id", "partition"), "made_at"),
    "checks": Shape(CHECKS, _BY_TENANT_AND_DAY, "time"),
    "rejections": Shape(REJECTIONS, _BY_TENANT_AND_DAY, "rejected_at"),
}


class Store:
    """Where a ledger lies: a folder, or the URL of a place in object storage with deltalake's own options."""

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.folder = _folder(root)
        self.root = str(self.folder or root).rstrip("/")
        self.options = dict(storage_options or {})

    def uri(self, name: TableName) -> str:
        """The address of one table, for any engine that reads Delta."""
        return f"{self.root}/{name}"

    def exists(self, name: TableName) -> bool:
        """Whether the table has been made. Raises LedgerUnreadable where its files stand without a log."""
        with told_of(self.uri(name)):
            if self.folder is not None and not (self.folder / name).is_dir():
                return False
            if self._has_log(name):
                return True
            # The log may have come while we looked, so it is asked again after what lies beside it.
            if not self._has_data(name) or self._has_log(name):
                return False
        raise LedgerUnreadable(
            f"{self.uri(name)}: has files but no Delta log: restore _delta_log from a copy, or remove the folder"
        )

    def _has_log(self, name: TableName) -> bool:
        return DeltaTable.is_deltatable(self.uri(name), self.options)

    def _has_data(self, name: TableName) -> bool:
        """Whether anything but a log lies in the folder; a log without a first commit is a table being made."""
        return self.folder is not None and any(each.name != "_delta_log" for each in (self.folder / name).iterdir())

    def open(self, name: TableName, version: int | None = None) -> DeltaTable:
        """The table at a version, or its newest. Raises LedgerMissing, LedgerTooNew, LedgerUnreadable, LedgerAway."""
        if not self.exists(name):
            raise LedgerMissing(f"{self.root}: no {name} here: expected a ledger, see `spendgate ledger import`")
        with told_of(self.uri(name)):
            table = DeltaTable(self.uri(name), version=version, storage_options=self.options)
            _check_version(self.uri(name), table)
            return table

    def open_or_create(self, name: TableName) -> DeltaTable:
        """The table for writing: made where there is none, given the columns that it lacks where it is older."""
        if not self.exists(name):
            self._create(name)
        table = self.open(name)
        with told_of(self.uri(name)):
            _upgrade(table, SHAPES[name])
        return table

    def files_of(self, name: TableName) -> pafs.FileSystem:
        """The file system of the table's data files, whose paths are relative to the table."""
        if self.folder is not None:
            return pafs.SubTreeFileSystem(str(self.folder / name), pafs.LocalFileSystem())
        handler: Any = DeltaStorageHandler(self.uri(name), self.options)
        return pafs.PyFileSystem(handler)

    def _create(self, name: TableName) -> None:
        shape = SHAPES[name]
        configuration = {VERSION_KEY: str(SCHEMA_VERSION)}
        if shape.statistics:
            configuration["delta.dataSkippingStatsColumns"] = ",".join(shape.statistics)
        with told_of(self.uri(name)):
            DeltaTable.create(
                self.uri(name),
                shape.stored,
                mode="ignore",  # somebody was faster
                partition_by=list(shape.partition_by),
                name=f"spendgate {name}",
                configuration=configuration,
                storage_options=self.options,
                raise_if_key_not_exists=False,
            )


def _folder(root: str | Path) -> Path | None:
    parts = urlsplit(str(root))
    if isinstance(root, str) and "://" in root:
        return Path(parts.path) if parts.scheme == "file" else None
    return Path(root).absolute()


def schema_version(table: DeltaTable) -> int | None:
    """The schema version that the table says, or None where it says none."""
    said = table.metadata().configuration.get(VERSION_KEY) or ""
    return int(said) if said.isdecimal() else None


def _check_version(uri: str, table: DeltaTable) -> None:
    version = schema_version(table)
    if version is None:
        raise LedgerUnreadable(f"{uri}: {VERSION_KEY}: expected a whole number; was this table made by Spendgate?")
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(
            f"{uri}: has schema version {version}, and this Spendgate knows up to {SCHEMA_VERSION}: upgrade spendgate"
        )


def _upgrade(table: DeltaTable, shape: Shape) -> None:
    known = {field.name for field in table.schema().fields}
    missing = [field for field in _delta_fields(shape) if field.name not in known]
    if missing:
        table.alter.add_columns(missing, commit_properties=CommitProperties())
    if (schema_version(table) or 0) < SCHEMA_VERSION:
        table.alter.set_table_properties({VERSION_KEY: str(SCHEMA_VERSION)}, raise_if_not_exists=False)
    table.update_incremental()


def _delta_fields(shape: Shape) -> list[Field]:
    return Schema.from_arrow(shape.stored).fields
