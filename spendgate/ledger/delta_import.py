"""History from a file into the ledger: all of it in one commit, and the same file once only.

=====================  =====================================================================
transaction            version
=====================  =====================================================================
import <sha256>         the number of the import of the file with this SHA-256
imports                 how many imports there were
imports rows            rows imported so far
=====================  =====================================================================
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Transaction
from deltalake.transaction import AddAction

from spendgate.ledger.delta_files import FileWriter, import_file_name
from spendgate.ledger.delta_identities import Identities, identities_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_split import pieces, stored_rows
from spendgate.ledger.delta_tables import SHAPES, Store
from spendgate.ledger.delta_writer import commit
from spendgate.ledger.event_rows import batch_of
from spendgate.ledger.ledger_errors import told_of
from spendgate.model.event import Event

CHUNK_EVENTS = 200_000
"""How many events are held at a time; about 1 KiB each while they are Python's."""

_SHAPE = SHAPES["events"]
_IDENTITY = ("tenant", "source", "id", "kind")


class Imported(NamedTuple):
    """What an import did. ``already``: this very file was imported before, and nothing was written."""

    number: int
    rows: int
    duplicates: int
    version: int
    already: bool = False


def import_events(
    root: str | Path,
    events: Iterable[Event],
    sha256: str,
    *,
    storage_options: Mapping[str, str] | None = None,
    chunk_events: int = CHUNK_EVENTS,
    on_rows: Callable[[int], None] | None = None,
) -> Imported:
    """Record events that were never in a log; ``sha256`` names the file that they come from.

    They are read ``chunk_events`` at a time, so memory is bounded; each chunk is sorted by time, stably, and the
    reader merges what overlaps. A call whose (tenant, source, id) was imported before is marked as a duplicate.
    ``on_rows`` is told how many rows each chunk had. An error, also one of ``events``, leaves the ledger as it was;
    after LedgerAway, import again: what was recorded is not recorded twice.

    Raises LedgerError, LedgerOvertaken where another import came first.
    """
    return import_batches(
        root, _batches(events, chunk_events), sha256, storage_options=storage_options, on_rows=on_rows
    )


def _batches(events: Iterable[Event], chunk_events: int) -> Iterator[pa.RecordBatch]:
    waiting = iter(events)
    while chunk := list(islice(waiting, chunk_events)):
        yield batch_of(chunk)


def import_batches(
    root: str | Path,
    batches: Iterable[pa.RecordBatch],
    sha256: str,
    *,
    storage_options: Mapping[str, str] | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> Imported:
    """As ``import_events``, for batches of ``columns.EVENTS`` without places, each of which is a chunk."""
    store = Store(root, storage_options)
    table = store.open_or_create("events")
    with told_of(store.uri("events")):
        number = table.transaction_version(f"import {sha256}")
    if number is not None:
        return Imported(number, 0, 0, table.version(), already=True)
    writer = FileWriter(store.files_of("events"), _SHAPE)
    run = _Run(store, table, writer)
    with writer.discarding():
        for batch in batches:  # what its reader raises is of the file, not of the ledger
            with told_of(store.uri("events")):
                run.take(batch)
            if on_rows is not None:
                on_rows(batch.num_rows)
    with told_of(store.uri("events")):
        return run.commit(sha256)


class _Run:
    """One import while it is made."""

    def __init__(self, store: Store, table: DeltaTable, writer: FileWriter) -> None:
        self._table = table
        self._writer = writer
        self._earlier = Ledger(store, {"events": table})
        self._known: dict[str, Identities] = {}
        self._number = (table.transaction_version("imports") or 0) + 1
        self._chunk = self._rows = self._duplicates = 0
        self._adds: list[AddAction] = []

    def take(self, batch: pa.RecordBatch) -> None:
        """Write the rows of one chunk."""
        by_time = np.argsort(batch.column("time").cast(pa.int64()).to_numpy(), kind="stable")
        for values, rows in pieces(stored_rows([batch.take(pa.array(by_time))], _SHAPE), _SHAPE.partition_by):
            seen = self._seen(values["tenant"], rows)
            marked = rows.set_column(rows.schema.get_field_index("duplicate"), _DUPLICATE, pa.array(seen))
            self._adds.append(self._writer.write(marked, values, import_file_name(self._number, self._chunk)))
            self._duplicates += int(seen.sum())
        self._rows += batch.num_rows
        self._chunk += 1

    def commit(self, sha256: str) -> Imported:
        """Record all that was written, in one step."""
        rows = (self._table.transaction_version("imports rows") or 0) + self._rows
        transactions = [
            Transaction(f"import {sha256}", self._number),
            Transaction("imports", self._number),
            Transaction("imports rows", rows),
        ]
        told = {"import": self._number, "sha256": sha256, "rows": self._rows, "duplicates": self._duplicates}
        commit(self._table, _SHAPE, self._adds, transactions, told)
        return Imported(self._number, self._rows, self._duplicates, self._table.version())

    def _seen(self, tenant: str, rows: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Which of a tenant's rows are calls that were imported before."""
        if tenant not in self._known:
            self._known[tenant] = self._imported_before(tenant)
        is_call = pc.equal(rows["kind"], "call").to_numpy()
        seen = np.zeros(rows.num_rows, np.bool_)
        seen[is_call] = self._known[tenant].take(_identities(rows.filter(pc.equal(rows["kind"], "call"))))
        return seen

    def _imported_before(self, tenant: str) -> Identities:
        known = Identities()
        for batch in self._earlier.imported_batches(tenant, _IDENTITY):
            known.take(_identities(pa.Table.from_batches([batch.filter(pc.equal(batch.column("kind"), "call"))])))
        return known


_DUPLICATE = _SHAPE.schema.field("duplicate")


def _identities(rows: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    hashes = [identities_of(batch) for batch in rows.to_batches()]
    return np.concatenate([np.empty(0, np.uint64), *hashes])
