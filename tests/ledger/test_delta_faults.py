"""Faults: each says in one line what is wrong and what to do, and the ledger is as it was."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from spendgate.ledger import delta_tables
from spendgate.ledger.delta_import import import_events
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import SCHEMA_VERSION, SHAPES, VERSION_KEY, Shape, Store, schema_version
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.ledger_errors import (
    LedgerAway,
    LedgerError,
    LedgerMissing,
    LedgerTooNew,
    LedgerUnreadable,
    told_of,
)
from tests.ledger.delta_world import append, event, ids, offsets


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with two commits."""
    root = tmp_path / "ledger"
    writer = LedgerTable(root)
    append(writer, 0, 1)
    append(writer, 2, 3)
    return root


def commits(root: Path) -> list[Path]:
    """The commits of the events table, in their order."""
    return sorted((root / "events" / "_delta_log").glob("*.json"))


def add_commit(root: Path, action: object) -> None:
    """One more commit, with one action."""
    (root / "events" / "_delta_log" / f"{len(commits(root)):020}.json").write_text(json.dumps(action) + "\n")


def half_commit(root: Path) -> None:
    last = commits(root)[-1]
    last.write_bytes(last.read_bytes()[:-40])


def no_log(root: Path) -> None:
    for commit in commits(root):
        commit.unlink()
    (root / "events" / "_delta_log").rmdir()


def empty_log(root: Path) -> None:
    for commit in commits(root):
        commit.unlink()


def newer_delta(root: Path) -> None:
    add_commit(root, {"protocol": {"minReaderVersion": 9, "minWriterVersion": 12}})


def newer_feature(root: Path) -> None:
    told = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["futures"], "writerFeatures": ["futures"]}
    add_commit(root, {"protocol": told})


def newer_spendgate(root: Path) -> None:
    table = DeltaTable(root / "events")
    table.alter.set_table_properties({VERSION_KEY: str(SCHEMA_VERSION + 1)}, raise_if_not_exists=False)


FAULTS: list[tuple[Callable[[Path], None], type[LedgerError], str]] = [
    (half_commit, LedgerUnreadable, "restore _delta_log from a copy"),
    (lambda root: commits(root)[1].unlink(), LedgerUnreadable, "restore _delta_log from a copy"),
    (lambda root: commits(root)[0].unlink(), LedgerUnreadable, "restore _delta_log from a copy"),
    (no_log, LedgerUnreadable, "has files but no Delta log"),
    (empty_log, LedgerUnreadable, "has files but no Delta log"),
    (newer_delta, LedgerTooNew, "upgrade spendgate and deltalake"),
    (newer_feature, LedgerTooNew, "upgrade spendgate and deltalake"),
    (newer_spendgate, LedgerTooNew, f"schema version {SCHEMA_VERSION + 1}.*upgrade spendgate"),
]


@pytest.mark.parametrize(("damage", "kind", "expected"), FAULTS)
def test_a_table_that_cannot_be_read_says_what_to_do(
    ledger: Path, damage: Callable[[Path], None], kind: type[LedgerError], expected: str
) -> None:
    damage(ledger)
    for use in (
        lambda: Ledger.open(ledger),
        lambda: append(LedgerTable(ledger), 4, 5),
        lambda: import_events(ledger, [event(1)], "a"),
    ):
        with pytest.raises(kind, match=expected) as caught:
            use()
        assert "\n" not in str(caught.value)


def test_no_ledger_and_no_such_version(ledger: Path, tmp_path: Path) -> None:
    with pytest.raises(LedgerMissing, match="no ledger here"):
        Ledger.open(tmp_path / "elsewhere")
    with pytest.raises(LedgerMissing, match="no such version"):
        Ledger.open(ledger, version=99)
    with pytest.raises(LedgerMissing, match="no decisions here"):
        Ledger.open(ledger, version={"decisions": 0})


def test_a_table_of_somebody_elses_is_not_touched(tmp_path: Path) -> None:
    theirs = Store(tmp_path).uri("events")
    DeltaTable.create(theirs, pa.schema([("x", pa.int64())]))
    with pytest.raises(LedgerUnreadable, match="was this table made by Spendgate"):
        append(LedgerTable(tmp_path), 0, 1)
    assert DeltaTable(theirs).version() == 0


def test_a_file_that_is_gone_says_so(ledger: Path) -> None:
    next(iter(ledger.rglob("log-*.parquet"))).unlink()
    with pytest.raises(LedgerUnreadable, match="a file that the Delta log names is gone"):
        offsets(ledger)


def test_a_half_written_file_that_no_commit_names_is_not_seen(ledger: Path) -> None:
    [first, *_] = ledger.rglob("log-*.parquet")
    (first.parent / f"log-{'0' * 32}.parquet").write_bytes(first.read_bytes()[:100])
    assert offsets(ledger) == [0, 1, 2, 3]


def test_an_older_table_is_read_and_given_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = SHAPES["events"]
    kept = pa.schema([field for field in shape.schema if field.name != "response_fingerprint"])
    with monkeypatch.context() as patched:
        patched.setattr(delta_tables, "SHAPES", {**SHAPES, "events": Shape(kept, shape.partition_by, shape.time)})
        patched.setattr(delta_tables, "SCHEMA_VERSION", 0)
        Store(tmp_path).open_or_create("events")
    assert schema_version(DeltaTable(tmp_path / "events")) == 0
    assert Ledger.open(tmp_path).rows("events") == 0
    append(LedgerTable(tmp_path), 0, 1)
    table = DeltaTable(tmp_path / "events")
    assert schema_version(table) == SCHEMA_VERSION
    assert "response_fingerprint" in {field.name for field in table.schema().fields}
    assert ids(tmp_path) == ["e0", "e1"]


def test_rows_of_an_older_table_have_nulls_where_it_lacks_a_column(ledger: Path) -> None:
    [first, *_] = ledger.rglob("log-*.parquet")
    rows = pq.read_table(first, partitioning=None).drop_columns(["team"])
    pq.write_table(rows, first)
    batches = list(Ledger.open(ledger).event_batches("acme", ["id", "team"]))
    assert [batch.column("team").null_count for batch in batches] == [batch.num_rows for batch in batches]


_FULL = """
import resource, signal, sys
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.ledger_errors import LedgerAway
from tests.ledger.delta_world import append
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    append(LedgerTable(sys.argv[1]), 4, 5)
except LedgerAway as error:
    print(error)
"""


def test_a_full_disk_loses_nothing_and_says_so(ledger: Path) -> None:
    told = [sys.executable, "-c", _FULL, str(ledger), "100"]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(told, capture_output=True, text=True, check=True, timeout=60, env=paths)
    assert "the storage refused (File too large): mend it" in ran.stdout
    assert offsets(ledger) == [0, 1, 2, 3]
    assert len(list(ledger.rglob("log-*.parquet"))) == 2
    assert append(LedgerTable(ledger), 4, 5).covered == 5
    assert offsets(ledger) == [0, 1, 2, 3, 4, 5]


def test_a_storage_that_does_not_answer_is_told_in_one_line() -> None:
    options = {"endpoint_url": "http://127.0.0.1:1", "allow_http": "true", "aws_access_key_id": "k",
               "aws_secret_access_key": "s", "region": "r", "max_retries": "0", "timeout": "1s"}  # fmt: skip
    with pytest.raises(LedgerAway, match=r"s3://bucket/ledger.*the storage refused") as caught:
        Ledger.open("s3://bucket/ledger", options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [
        PermissionError(13, "Permission denied", "_delta_log"),
        DeltaError("Generic LocalFileSystem error: unable to open: Permission denied (os error 13)"),
        OSError(28, "No space left on device"),
    ],
)
def test_a_storage_that_refuses_is_told_in_its_own_words(fault: Exception) -> None:
    with pytest.raises(LedgerAway, match=r"the storage refused \((Permission denied|No space left)"), told_of("x"):
        raise fault
