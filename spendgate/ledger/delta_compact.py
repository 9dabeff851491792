"""Small files into larger ones, and old files deleted; rows and their order stay as they are.

deltalake 1.6.6 lets two compactions of the same files both commit, which doubles their rows; so each carries the
transaction ``compaction``, and the second to commit fails.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from deltalake import DeltaTable, Transaction
from deltalake.transaction import AddAction, RemoveAction

from spendgate.ledger.delta_files import (
    DataFile,
    FileWriter,
    Statistics,
    files_in,
    import_file_name,
    log_file_name,
)
from spendgate.ledger.delta_order import Eras, Scan, eras_of
from spendgate.ledger.delta_tables import SHAPES, Shape, Store, TableName
from spendgate.ledger.delta_writer import commit
from spendgate.ledger.ledger_errors import told_of
from spendgate.ledger.retention import KEEP_HOURS

TARGET_BYTES = 64 * 2**20
MAX_FILES = 2_000
KEEP_CHECKPOINTS = 3
_TRANSACTION = "compaction"


class Compacted(NamedTuple):
    """What a compaction did: files taken out, files put in their place, and their rows."""

    before: int
    after: int
    rows: int


def compact(
    root: str | Path,
    table_name: TableName,
    *,
    storage_options: Mapping[str, str] | None = None,
    target_bytes: int = TARGET_BYTES,
    max_files: int = MAX_FILES,
    on_files: Callable[[int], None] | None = None,
) -> Compacted:
    """Join small files of one tenant, day and topic partition up to about ``target_bytes`` each, in one commit.

    Checkpoints are never joined: each is read alone.

    At most ``max_files`` are taken at a time, those with the most companions first. Raises LedgerOvertaken where
    another compaction came first, with nothing changed, and any other LedgerError.
    """
    store, shape = Store(root, storage_options), SHAPES[table_name]
    table = store.open(table_name)
    with told_of(store.uri(table_name)):
        files = files_in(table, shape) if shape.by_day else []
        chosen = _chosen(bins(files, target_bytes), max_files)
        if not chosen:
            return Compacted(0, 0, 0)
        joiner = _Joiner(store, table_name, eras_of(files))
        return joiner.join(table, chosen, on_files)


def bins(files: Iterable[DataFile], target_bytes: int) -> list[list[DataFile]]:
    """Groups of two or more small files that may become one: neighbours in ledger order."""
    places = _by_place(files).values()
    found = [each for place in places for each in _neighbours(sorted(place, key=_age), target_bytes)]
    return [each for each in found if len(each) > 1]


def _by_place(files: Iterable[DataFile]) -> dict[tuple[Any, ...], list[DataFile]]:
    found: dict[tuple[Any, ...], list[DataFile]] = defaultdict(list)
    for file in files:
        if file.ours:
            found[(*file.partition.values(), file.source)].append(file)
    return found


def _age(file: DataFile) -> tuple[int, ...]:
    return file.number, file.chunk, file.least.get("offset") or 0


def _neighbours(files: Sequence[DataFile], target_bytes: int) -> Iterator[list[DataFile]]:
    group: list[DataFile] = []
    size_bytes = 0
    for file in files:
        if group and size_bytes + file.size_bytes > target_bytes:
            yield group
            group, size_bytes = [], 0
        group.append(file)
        size_bytes += file.size_bytes
    yield group


def _chosen(groups: Iterable[list[DataFile]], max_files: int) -> list[list[DataFile]]:
    chosen: list[list[DataFile]] = []
    left = max_files
    for group in sorted(groups, key=len, reverse=True):
        if min(left, len(group)) > 1:
            chosen.append(group[:left])
            left -= len(chosen[-1])
    return chosen


class _Joiner:
    def __init__(self, store: Store, name: TableName, eras: Eras) -> None:
        files, self._shape = store.files_of(name), SHAPES[name]
        self._writer = FileWriter(files, self._shape, data_change=False)
        self._scan = Scan(files, self._shape, eras, self._shape.in_files.names, self._shape.row_group_rows)

    def join(
        self, table: DeltaTable, groups: Sequence[Sequence[DataFile]], on_files: Callable[[int], None] | None
    ) -> Compacted:
        actions: list[AddAction | RemoveAction] = []
        with self._writer.discarding():
            for group in groups:
                actions += [self._joined(group), *(file.removal() for file in group)]
                if on_files is not None:
                    on_files(len(group))
        done = Compacted(sum(map(len, groups)), len(groups), sum(file.rows for group in groups for file in group))
        number = (table.transaction_version(_TRANSACTION) or 0) + 1
        told = {"compaction": number, "files": done.before, "rows": done.rows}
        commit(table, self._shape, actions, [Transaction(_TRANSACTION, number)], told)
        return done

    def _joined(self, group: Sequence[DataFile]) -> AddAction:
        first = group[0]
        name = log_file_name() if first.source else import_file_name(first.number, first.chunk)
        with self._writer.open(first.partition, name) as file:
            for rows in _in_row_groups(self._scan.batches(group), self._shape.row_group_rows):
                file.write_table(rows, row_group_size=self._shape.row_group_rows)
        return self._writer.action(first.partition, name, _together(group, self._shape))


def _in_row_groups(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= size:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _together(files: Sequence[DataFile], shape: Shape) -> Statistics:
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    for name in shape.statistics:
        least[name] = min((f.least[name] for f in files if f.least[name] is not None), default=None)
        greatest[name] = max((f.greatest[name] for f in files if f.greatest[name] is not None), default=None)
    return Statistics(sum(file.rows for file in files), least, greatest)


def prune_checkpoints(
    root: str | Path, *, storage_options: Mapping[str, str] | None = None, keep: int = KEEP_CHECKPOINTS
) -> int:
    """Take all but the latest ``keep`` checkpoints of each topic partition out of the ledger; returns how many files.

    Raises ValueError for a ``keep`` below 1, LedgerOvertaken, and any other LedgerError.
    """
    if keep < 1:
        raise ValueError("keep: expected 1 or more")
    store, shape = Store(root, storage_options), SHAPES["checkpoints"]
    table = store.open("checkpoints")
    with told_of(store.uri("checkpoints")):
        old = [file for files in _by_place(files_in(table, shape)).values() for file in _older(files, keep)]
        if old:
            number = (table.transaction_version(_TRANSACTION) or 0) + 1
            removals = [file.removal(data_change=True) for file in old]
            commit(table, shape, removals, [Transaction(_TRANSACTION, number)], {"compaction": number})
        return len(old)


def _older(files: Sequence[DataFile], keep: int) -> list[DataFile]:
    kept = set(sorted({file.greatest["offset"] for file in files})[-keep:])
    return [file for file in files if file.greatest["offset"] not in kept]


def vacuum(
    root: str | Path,
    table_name: TableName,
    *,
    storage_options: Mapping[str, str] | None = None,
    keep_hours: int = KEEP_HOURS,
    dry_run: bool = False,
) -> list[str]:
    """Delete files that no version of the last ``keep_hours`` names, and those that a broken write left behind.

    Versions before that can no longer be read. ``keep_hours`` below 24 could take a file from under an import that is
    being written. Raises ValueError for that, and LedgerError. Returns the paths, deleted or (``dry_run``) found.
    """
    if keep_hours < 24:
        raise ValueError("keep_hours: expected 24 or more")
    store = Store(root, storage_options)
    table = store.open(table_name)
    with told_of(store.uri(table_name)):
        return table.vacuum(keep_hours, dry_run=dry_run, enforce_retention_duration=False, full=True)
