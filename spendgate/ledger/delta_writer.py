"""Rows of a topic into the ledger, exactly once.

Every commit carries Delta application transactions of its topic partition, so they land with the rows or not at all:

============================  ======================================================================
transaction                   version
============================  ======================================================================
<topic id>-<partition>         the last offset that is covered
<topic id>-<partition> first   the first offset ever covered
<topic id>-<partition> rows    rows written so far
<topic id>-<partition> missing  offsets skipped so far: what the topic had lost before it was read
============================  ======================================================================

deltalake takes a transaction version older than the one that stands, so what is covered is read first. Of two writers
that have read the same, the second to commit fails on the transaction of the first (``LedgerOvertaken``): a zombie
loses, whatever it holds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.transaction import AddAction, RemoveAction

from spendgate.ledger.delta_files import FileWriter, log_file_name
from spendgate.ledger.delta_split import pieces, stored_rows
from spendgate.ledger.delta_tables import SHAPES, Shape, Store, TableName
from spendgate.ledger.ledger_errors import told_of

SPAN_KEY = "spendgate"
"""Under this key of a commit's metadata stands what it covers, as JSON: a ``Span``, an import or a compaction."""


class Appended(NamedTuple):
    """What an append did. ``rows``: written now; 0 with ``already`` where all of it was covered before."""

    rows: int
    covered: int
    already: bool = False


class LedgerTable:
    """The ledger's tables for one writer; tables are made at their first append. Not for several threads."""

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.store = Store(root, storage_options)
        self._tables: dict[TableName, DeltaTable] = {}

    def covered(self, table_name: TableName, topic_id: str, partition: int) -> int:
        """The last offset of a topic partition that the table covers, -1 for none. Raises LedgerError."""
        if table_name not in self._tables and not self.store.exists(table_name):
            return -1
        return _version(self._newest(table_name), source_name(topic_id, partition), -1)

    def append(
        self,
        table_name: TableName,
        record_batches: Iterable[pa.RecordBatch],
        source: tuple[str, int],
        last_offset: int,
        *,
        first_offset: int | None = None,
    ) -> Appended:
        """Write the rows of messages up to ``last_offset`` of ``source`` (topic id, partition), in one commit.

        ``first_offset``: of the first message read for it, whether or not it gave rows; without it, the one after
        what is covered. No batches at all is right for messages without rows. Rows that are covered are left out,
        so delivering again, cut in any way, doubles nothing.

        Raises ValueError for rows of another source or past ``last_offset``; LedgerOvertaken where another writer
        committed for the same source meanwhile, with nothing recorded; and any other LedgerError, after which it may
        be recorded or not: appending the same again is always right.
        """
        shape = SHAPES[table_name]
        rows = stored_rows(list(record_batches), shape)
        _check_source(rows, source, last_offset)
        table = self._newest(table_name)
        name = source_name(*source)
        covered = _version(table, name, -1)
        if last_offset <= covered:
            return Appended(0, covered, already=True)
        rows = in_order(rows.filter(pc.field("offset") > covered))
        span = _span(table, source, rows, (first_offset, last_offset), covered)
        self._commit(table_name, table, rows, span.transactions(table, covered), span)
        return Appended(rows.num_rows, last_offset)

    def _newest(self, name: TableName) -> DeltaTable:
        """The table as it is now; a table is opened once, and then only its new commits are read."""
        table = self._tables.get(name)
        if table is None:
            table = self._tables[name] = self.store.open_or_create(name)
        else:
            with told_of(self.store.uri(name)):
                table.update_incremental()
        return table

    def _commit(
        self, name: TableName, table: DeltaTable, rows: pa.Table, transactions: list[Transaction], span: "Span"
    ) -> None:
        shape = SHAPES[name]
        writer = FileWriter(self.store.files_of(name), shape)
        with told_of(self.store.uri(name)):
            with writer.discarding():
                found = pieces(rows, shape.partition_by)
                adds = [writer.write(piece, values, log_file_name()) for values, piece in found]
            commit(table, shape, adds, transactions, span._asdict())


class Span(NamedTuple):
    """What one commit covers of a topic partition: offsets ``first`` to ``last``, both included, and their rows."""

    topic_id: str
    partition: int
    first: int
    last: int
    rows: int

    def transactions(self, table: DeltaTable, covered: int) -> list[Transaction]:
        """The transactions of the commit, on top of the version that ``table`` is at."""
        name = source_name(self.topic_id, self.partition)
        found = [Transaction(name, self.last)]
        if self.rows:
            found.append(Transaction(f"{name} rows", _version(table, f"{name} rows") + self.rows))
        if covered < 0:
            found.append(Transaction(f"{name} first", self.first))
        elif self.first > covered + 1:
            missing = _version(table, f"{name} missing") + self.first - covered - 1
            found.append(Transaction(f"{name} missing", missing))
        return found


def _span(
    table: DeltaTable, source: tuple[str, int], rows: pa.Table, told: tuple[int | None, int], covered: int
) -> Span:
    first, last = told
    if first is None and covered < 0:
        first = rows["offset"][0].as_py() if rows.num_rows else last
    return Span(*source, max(covered + 1, first or 0), last, rows.num_rows)


def commit(
    table: DeltaTable,
    shape: Shape,
    actions: Sequence[AddAction | RemoveAction],
    transactions: list[Transaction],
    told: Mapping[str, object],
) -> None:
    """One commit on top of the version that ``table`` is at; ``told`` goes into its metadata."""
    table.create_write_transaction(
        list(actions),
        "append",
        shape.stored,
        list(shape.partition_by),
        commit_properties=CommitProperties(custom_metadata={SPAN_KEY: json.dumps(told)}, app_transactions=transactions),
    )
    table.update_incremental()


def source_name(topic_id: str, partition: int) -> str:
    """The name of the transaction of a topic partition."""
    return f"{topic_id}-{partition}"


def _version(table: DeltaTable, name: str, none: int = 0) -> int:
    version = table.transaction_version(name)
    return none if version is None else version


def _check_source(rows: pa.Table, source: tuple[str, int], last_offset: int) -> None:
    if last_offset < 0:
        raise ValueError("last_offset: expected 0 or more")
    if rows.num_rows == 0:
        return
    topic_id, partition = source
    same = pc.and_(pc.equal(rows["topic_id"], topic_id), pc.equal(rows["partition"], partition))
    if not pc.all(pc.fill_null(same, False), min_count=0).as_py():
        raise ValueError("topic_id, partition: expected those of the source in every row")
    if rows["offset"].null_count or pc.max(rows["offset"]).as_py() > last_offset:
        raise ValueError("offset: expected up to last_offset in every row")


def in_order(rows: pa.Table) -> pa.Table:
    """The rows of one topic partition by offset and index; the same table where they are so already."""
    offset = rows["offset"].to_numpy()
    index = rows["index"].to_numpy() if "index" in rows.column_names else np.zeros(len(offset), np.int32)
    follows = (offset[1:] > offset[:-1]) | ((offset[1:] == offset[:-1]) & (index[1:] >= index[:-1]))
    return rows if follows.all() else rows.take(pa.array(np.lexsort((index, offset))))
