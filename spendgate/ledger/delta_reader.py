"""The ledger to read: one version of each table, whose rows come in ledger order as Arrow batches."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from spendgate.ledger.activation_rows import TenantCheckpoint, checkpoints_of
from spendgate.ledger.delta_files import DataFile, files_in
from spendgate.ledger.delta_order import Eras, Scan, eras_of
from spendgate.ledger.delta_tables import SHAPES, TABLES, Shape, Store, TableName
from spendgate.ledger.delta_times import Times
from spendgate.ledger.delta_writer import source_name
from spendgate.ledger.ledger_errors import LedgerMissing, told_of

BATCH_ROWS = 65_536
LAST = 2**63 - 1


class Part(NamedTuple):
    """A range of one topic partition: offsets ``first`` to ``last``, both included."""

    topic_id: str
    partition: int
    first: int = 0
    last: int = LAST


IMPORTED = Part("", -1)
"""Stands for the rows that were never in a log."""


class Ledger:
    """The tables of a ledger at fixed versions: what is committed later does not show. See ``open``."""

    def __init__(self, store: Store, tables: Mapping[TableName, DeltaTable]) -> None:
        self.store = store
        self._tables = tables
        self._files: dict[TableName, list[DataFile]] = {}
        self._files_of: dict[tuple[TableName, str], list[DataFile]] = {}
        self._arranged: dict[TableName, _Arranged] = {}

    @classmethod
    def open(
        cls,
        root: str | Path,
        storage_options: Mapping[str, str] | None = None,
        version: int | Mapping[TableName, int] | None = None,
        *,
        only: Sequence[TableName] = TABLES,
    ) -> "Ledger":
        """The ledger at ``root``, a folder or a URL; ``version``: of the events table, or of each table by name.

        ``only``: the tables that will be read; the others look as if they had not been made.

        Raises LedgerMissing where there is no ledger or no such version, LedgerTooNew, LedgerUnreadable, LedgerAway.
        """
        store = Store(root, storage_options)
        wanted = {"events": version} if isinstance(version, int) else dict(version or {})
        tables = {name: store.open(name, wanted.get(name)) for name in only if name in wanted or store.exists(name)}
        if not tables and not any(map(store.exists, TABLES)):
            raise LedgerMissing(f"{store.root}: no ledger here: expected the folder or URL of one")
        return cls(store, tables)

    @property
    def version(self) -> int | None:
        """The version of the events table; None where it has not been made."""
        return self.versions.get("events")

    @property
    def versions(self) -> dict[TableName, int]:
        """The version of each table that there is; hand it to ``open`` to read the same again."""
        return {name: table.version() for name, table in self._tables.items()}

    def table(self, name: TableName) -> DeltaTable | None:
        """The Delta table itself, at its version."""
        return self._tables.get(name)

    def files(self, name: TableName) -> list[DataFile]:
        """The data files of a table."""
        if name not in self._files:
            table = self._tables.get(name)
            with told_of(self.store.uri(name)):
                self._files[name] = [] if table is None else files_in(table, SHAPES[name])
        return self._files[name]

    def files_of(self, name: TableName, tenant: str) -> list[DataFile]:
        """A tenant's data files of a table; faster than all of them where there are many tenants."""
        if (name, tenant) not in self._files_of:
            table = self._tables.get(name)
            with told_of(self.store.uri(name)):
                self._files_of[name, tenant] = [] if table is None else files_in(table, SHAPES[name], tenant)
        return self._files_of[name, tenant]

    def tenants(self, name: TableName = "events") -> list[str]:
        """The tenants that have rows, sorted."""
        return sorted({file.partition["tenant"] for file in self.files(name)})

    def rows(self, name: TableName, tenant: str | None = None) -> int:
        """How many rows a table has, of one tenant or of all."""
        return sum(file.rows for file in self.files(name) if tenant in (None, file.partition.get("tenant")))

    def covered(self, name: TableName, topic_id: str, partition: int) -> int:
        """The last offset of a topic partition that the table covers, -1 for none."""
        table = self._tables.get(name)
        version = None if table is None else table.transaction_version(source_name(topic_id, partition))
        return -1 if version is None else version

    def event_batches(
        self,
        tenant: str,
        columns: Sequence[str] | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        batch_rows: int = BATCH_ROWS,
        *,
        part: Part | None = None,
        dictionaries: Sequence[str] = (),
        all_annotations: bool = False,
    ) -> Iterator[pa.RecordBatch]:
        """A tenant's events in ledger order, as ``columns`` of ``columns.EVENTS``, at most ``batch_rows`` at a time.

        ``from_`` and ``to``: by the event's own time, half open, aware; ``all_annotations``: they choose among calls
        alone. ``part``: only what was recorded in this range of a topic partition, so nothing imported.
        ``dictionaries``: texts to be read as Arrow dictionaries. Memory is a few batches, and the rows of files that
        overlap: imports of the same days.
        """
        times = Times(from_, to, but_annotations=all_annotations)
        return self._batches("events", tenant, columns, times, batch_rows, part, dictionaries)

    def decision_batches(
        self,
        tenant: str,
        columns: Sequence[str] | None = None,
        from_: datetime | None = None,
        to: datetime | None = None,
        batch_rows: int = BATCH_ROWS,
        *,
        part: Part | None = None,
        dictionaries: Sequence[str] = (),
    ) -> Iterator[pa.RecordBatch]:
        """A tenant's decisions in the order of their topic, ``record_columns.DECISIONS``; else as ``event_batches``.

        A decision that was published twice stands here twice, under one decision_id.
        """
        return self._batches("decisions", tenant, columns, Times(from_, to), batch_rows, part, dictionaries)

    def imported_batches(self, tenant: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """A tenant's events that were never in a log, in ledger order; else as ``event_batches``."""
        return self._batches("events", tenant, columns, Times(), BATCH_ROWS, IMPORTED, ())

    def activation_batches(
        self, tenant: str, columns: Sequence[str] | None = None, *, part: Part | None = None
    ) -> Iterator[pa.RecordBatch]:
        """A tenant's activations in log order, as columns of ``record_columns.ACTIVATIONS``."""
        return self._batches("activations", tenant, columns, Times(), BATCH_ROWS, part, ())

    def check_batches(self, tenant: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """A tenant's pre-call checks in the order of their topic, as columns of ``record_columns.CHECKS``."""
        return self._batches("checks", tenant, columns, Times(), BATCH_ROWS, None, ())

    def rejection_batches(self, tenant: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """What was set aside under a tenant's key, as columns of ``record_columns.REJECTIONS``."""
        return self._batches("rejections", tenant, columns, Times(), BATCH_ROWS, None, ())

    def checkpoint(self, topic_id: str, partition: int, at_or_before: int = LAST) -> list[TenantCheckpoint]:
        """The latest checkpoint of a partition at or before an offset, a row each tenant; empty where none is."""
        files = [
            file
            for file in self.files("checkpoints")
            if (file.partition["topic_id"], file.partition["partition"]) == (topic_id, partition)
            and file.least["offset"] <= at_or_before
        ]
        latest = max((min(file.greatest["offset"], at_or_before) for file in files), default=-1)
        wanted = [file for file in files if file.greatest["offset"] == latest]
        shape = SHAPES["checkpoints"]
        scan = _scan(self.store, "checkpoints", shape.in_files.names, eras_of(wanted), BATCH_ROWS)
        with told_of(self.store.uri("checkpoints")):
            batches = [shaped(batch, shape.schema, wanted[0].partition) for batch in scan.batches(wanted)]
        return [each for batch in batches for each in checkpoints_of(batch) if each.offset == latest]

    def _batches(
        self,
        name: TableName,
        tenant: str,
        columns: Sequence[str] | None,
        times: Times,
        batch_rows: int,
        part: Part | None,
        dictionaries: Sequence[str],
    ) -> Iterator[pa.RecordBatch]:
        shape = SHAPES[name]
        schema = _projected(shape, columns)
        only = _only(shape, times, part)
        arranged = self._arrange(name)
        files = [file for file in arranged.by_tenant.get(tenant, ()) if _may_hold(file, shape, times, part)]
        in_files = [each for each in schema.names if each not in shape.partition_by] or [shape.time]
        coded = [each for each in dictionaries if each.partition(".")[0] in in_files]
        scan = _scan(self.store, name, in_files, arranged.eras, batch_rows, only, coded)
        return self._shaped(name, scan.batches(files), schema, tenant)

    def _arrange(self, name: TableName) -> "_Arranged":
        if name not in self._arranged:
            by_tenant: dict[str, list[DataFile]] = {}
            for file in self.files(name):
                by_tenant.setdefault(file.partition["tenant"], []).append(file)
            self._arranged[name] = _Arranged(by_tenant, eras_of(self.files(name)))
        return self._arranged[name]

    def _shaped(
        self, name: TableName, batches: Iterable[pa.RecordBatch], schema: pa.Schema, tenant: str
    ) -> Iterator[pa.RecordBatch]:
        with told_of(self.store.uri(name)):
            for batch in batches:
                yield shaped(batch, schema, {"tenant": tenant})


class _Arranged(NamedTuple):
    """A table's files by tenant, and the eras of all of them."""

    by_tenant: Mapping[str, list[DataFile]]
    eras: Eras


def _scan(
    store: Store,
    name: TableName,
    columns: Sequence[str],
    eras: Eras,
    batch_rows: int,
    only: pc.Expression | None = None,
    dictionaries: Sequence[str] = (),
) -> Scan:
    return Scan(store.files_of(name), SHAPES[name], eras, columns, batch_rows, only, dictionaries)


def _projected(shape: Shape, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None:
        return shape.schema
    if unknown := next((name for name in columns if name not in shape.schema.names), None):
        raise ValueError(f"columns: {unknown}: expected columns of the table")
    return pa.schema([shape.schema.field(name) for name in columns])


def _may_hold(file: DataFile, shape: Shape, times: Times, part: Part | None) -> bool:
    if not file.ours:
        return True
    if not times.may_be_in(file.least[shape.time], file.greatest[shape.time]):
        return False
    if part is None or part == IMPORTED:
        return part is None or file.source is None
    within = file.least["offset"] is not None and file.least["offset"] <= part.last
    return within and file.source == part[:2] and bool(file.greatest["offset"] >= part.first)


def _only(shape: Shape, times: Times, part: Part | None) -> pc.Expression | None:
    wanted = times.tests(shape.time)
    if part == IMPORTED:
        wanted.append(pc.field("topic_id").is_null())
    elif part is not None:
        wanted += [pc.field("topic_id") == part.topic_id, pc.field("partition") == part.partition]
        wanted += [pc.field("offset") >= part.first, pc.field("offset") <= part.last]
    return reduce(and_, wanted) if wanted else None


def shaped(batch: pa.RecordBatch, schema: pa.Schema, partition: Mapping[str, Any]) -> pa.RecordBatch:
    """The stored columns of a batch as those of ``schema``, with the values of its partition; dictionaries stay."""
    columns = [_column(batch, field, partition) for field in schema]
    fields = [field.with_type(column.type) for field, column in zip(schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _column(batch: pa.RecordBatch, field: pa.Field, partition: Mapping[str, Any]) -> pa.Array:
    if field.name in partition:
        return pa.repeat(pa.scalar(partition[field.name], field.type), batch.num_rows)
    column = batch.column(field.name)
    return column if _has_dictionaries(column.type) or column.type == field.type else column.cast(field.type)


def _has_dictionaries(kind: pa.DataType) -> bool:
    """Whether texts of a column, or of the structs of its lists, were read as dictionaries."""
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return any(pa.types.is_dictionary(each.type) for each in kind.value_type)
    return bool(pa.types.is_dictionary(kind))
