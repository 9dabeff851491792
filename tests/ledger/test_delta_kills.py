"""A writer that is killed at any moment, and another engine's reader: nothing is lost, nothing doubled."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from spendgate.ledger.delta_compact import compact
from spendgate.ledger.delta_import import import_events
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_verify import verify
from spendgate.ledger.delta_writer import LedgerTable
from tests.ledger.delta_world import SOURCE, append, event, ids, offsets

_WRITER = """
import sys
from spendgate.ledger.delta_compact import compact
from spendgate.ledger.delta_writer import LedgerTable
from tests.ledger.delta_world import SOURCE, append
root = sys.argv[1]
writer = LedgerTable(root)
while True:
    first = writer.covered("events", *SOURCE) + 1
    append(writer, first, first + 2)
    if first % 9 == 0:
        compact(root, "events")
    print(first, flush=True)
"""
_ROUNDS, _COMMITS = 3, 8


def test_a_writer_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = -1
    for _ in range(_ROUNDS):
        command = [sys.executable, "-c", _WRITER, str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as running:
            assert running.stdout is not None
            for _ in range(_COMMITS):
                told = int(running.stdout.readline())
            running.kill()
        covered = LedgerTable(tmp_path).covered("events", *SOURCE)
        assert covered >= told + 2
        assert offsets(tmp_path) == list(range(covered + 1))
        assert verify(Ledger.open(tmp_path)).complete


def test_other_readers_of_delta_see_the_same_rows(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path), 0, 3, tenants=["acme", "b/c d%"])
    import_events(tmp_path, map(event, range(3)), "a")
    table = DeltaTable(tmp_path / "events")
    rows = table.to_pyarrow_dataset().to_table()
    assert sorted(rows.filter(pa.compute.field("tenant") == "acme")["id"].to_pylist()) == sorted(ids(tmp_path))
    sql = "select id from events where tenant = 'b/c d%' and \"offset\" >= 2 and time < '2026-11-05T22:00:03Z'"
    assert pa.table(QueryBuilder().register("events", table).execute(sql))["id"].to_pylist() == ["e2"]


def test_rows_that_another_engine_rewrote_are_read_in_order_and_verified(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in range(4):
        append(writer, offset, offset)
    import_events(tmp_path, map(event, range(3)), "a")
    before = ids(tmp_path)
    DeltaTable(tmp_path / "events").optimize.compact()
    assert not any(file.ours for file in Ledger.open(tmp_path).files("events"))
    assert ids(tmp_path) == before
    assert verify(Ledger.open(tmp_path)).complete
    assert compact(tmp_path, "events").before == 0
    assert append(writer, 2, 5).rows == 2
    assert ids(tmp_path) == [*before, "e4", "e5"]
