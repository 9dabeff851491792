"""Decisions, activations and checkpoints in the ledger; and a ledger in object storage, by its own file system."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from spendgate.ledger import delta_tables, delta_writer
from spendgate.ledger.activation_rows import (
    PlacedActivation,
    TenantCheckpoint,
    activation_batch_of,
    activations_of,
    checkpoint_batch_of,
)
from spendgate.ledger.decision_rows import decision_batch_of, decisions_of
from spendgate.ledger.delta_compact import compact, prune_checkpoints
from spendgate.ledger.delta_import import import_events
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import SHAPES, Shape
from spendgate.ledger.delta_verify import verify
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import events_of
from spendgate.ledger.ledger_errors import LedgerTooNew, LedgerUnreadable
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.decision import Decision, Judged, Position, Reason
from tests.ledger.delta_world import SOURCE, START, TOPIC, append, event, ids, place


def decision(number: int) -> Decision:
    reason = Reason(policy="p", staging="s", stage="shadow", rule=0, kind="budget", verdict="deny", code="over_cap",
                    limit_nano_usd=2**61, alerts=(50, 80))  # fmt: skip
    return Decision(
        decision_id=f"d{number}", tenant="acme", source="app", event_id=f"e{number}", event_time=START,
        decided_at=START, position=Position("spend.events", 0, number, 0), verdict="deny", engine_version="1",
        cost_nano_usd=5, check_id=f"chk-{number}", marks=("late",), judged=Judged(3, "set"),
        reasons=(reason,) * (number % 3),
    )  # fmt: skip


def test_decisions_are_written_once_and_read_as_they_were(tmp_path: Path) -> None:
    writer, told = LedgerTable(tmp_path), [decision(n) for n in range(6)]
    for first, last in ((0, 2), (1, 5)):
        batch = decision_batch_of(told[first : last + 1], [place(n) for n in range(first, last + 1)])
        writer.append("decisions", [batch], SOURCE, last, first_offset=first)
    compact(tmp_path, "decisions")
    ledger = Ledger.open(tmp_path)
    assert [each for batch in ledger.decision_batches("acme") for each in decisions_of(batch)] == told
    assert (ledger.covered("decisions", *SOURCE), ledger.covered("events", *SOURCE), ledger.version) == (5, -1, None)
    assert list(ledger.event_batches("acme")) == []


def test_decisions_of_a_table_without_check_ids_are_read_and_written_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, told = SHAPES["decisions"], [decision(n) for n in range(4)]
    kept = pa.schema([field for field in shape.schema if field.name != "check_id"])
    with monkeypatch.context() as patched:
        older = Shape(kept, shape.partition_by, shape.time, shape.row_group_rows)
        patched.setattr(delta_tables, "SHAPES", {**SHAPES, "decisions": older})
        patched.setattr(delta_writer, "SHAPES", {**SHAPES, "decisions": older})
        patched.setattr(delta_tables, "SCHEMA_VERSION", 1)
        first = decision_batch_of(told[:2], [place(n) for n in range(2)])
        LedgerTable(tmp_path).append("decisions", [first.select(kept.names)], SOURCE, 1, first_offset=0)
    without = [msgspec.structs.replace(each, check_id=None) for each in told[:2]]
    assert [each for b in Ledger.open(tmp_path).decision_batches("acme") for each in decisions_of(b)] == without
    batch = decision_batch_of(told[2:], [place(n) for n in range(2, 4)])
    LedgerTable(tmp_path).append("decisions", [batch], SOURCE, 3, first_offset=2)
    found = [each for b in Ledger.open(tmp_path).decision_batches("acme") for each in decisions_of(b)]
    assert found == [*without, *told[2:]]
    compact(tmp_path, "decisions")
    assert [each for b in Ledger.open(tmp_path).decision_batches("acme") for each in decisions_of(b)] == found
    with monkeypatch.context() as patched, pytest.raises(LedgerTooNew, match="upgrade spendgate"):
        patched.setattr(delta_tables, "SCHEMA_VERSION", 1)
        LedgerTable(tmp_path).append("decisions", [batch], SOURCE, 5, first_offset=4)


def test_activations_are_read_in_log_order(tmp_path: Path) -> None:
    writer, told = LedgerTable(tmp_path), []
    for offset in (3, 8):
        change = Activation(kind="activation", id=f"a{offset}", tenant="acme", time=START, action="end", staging="s")
        told.append(PlacedActivation(place(offset), change, encode_activation(change)))
        writer.append("activations", [activation_batch_of(told[-1:])], SOURCE, offset, first_offset=0)
    found = [each for batch in Ledger.open(tmp_path).activation_batches("acme") for each in activations_of(batch)]
    assert found == told


def checkpoint(offset: int, tenant: str = "acme", partition: int = 0) -> TenantCheckpoint:
    return TenantCheckpoint(TOPIC, partition, offset, tenant, datetime(2026, 11, 5, tzinfo=UTC), "1", b"%d" % offset)


def keep(writer: LedgerTable, *rows: TenantCheckpoint) -> int:
    """One checkpoint of a partition."""
    source = rows[0].topic_id, rows[0].partition
    return writer.append("checkpoints", [checkpoint_batch_of(rows)], source, rows[0].offset).rows


def test_the_latest_checkpoint_at_or_before_an_offset(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    both = [checkpoint(10), checkpoint(10, "zeta")]
    assert keep(writer, *both) == 2
    assert keep(writer, checkpoint(20)) == 1
    assert keep(writer, checkpoint(15)) == 0  # covered
    assert keep(writer, checkpoint(30, partition=1)) == 1
    ledger = Ledger.open(tmp_path)
    assert ledger.checkpoint(TOPIC, 0) == [checkpoint(20)]
    assert ledger.checkpoint(TOPIC, 0, 19) == both
    assert ledger.checkpoint(TOPIC, 0, 9) == []
    assert ledger.checkpoint("other", 0) == []


def test_old_checkpoints_go_and_the_latest_stay(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in (10, 20, 30):
        keep(writer, checkpoint(offset))
    keep(writer, checkpoint(5, partition=1))
    assert compact(tmp_path, "checkpoints").before == 0
    assert prune_checkpoints(tmp_path, keep=2) == 1
    assert prune_checkpoints(tmp_path, keep=2) == 0
    ledger = Ledger.open(tmp_path)
    assert ledger.checkpoint(TOPIC, 0, 15) == []
    assert ledger.checkpoint(TOPIC, 0) == [checkpoint(30)]
    assert ledger.checkpoint(TOPIC, 1) == [checkpoint(5, partition=1)]
    with pytest.raises(ValueError, match="keep: expected 1 or more"):
        prune_checkpoints(tmp_path, keep=0)


def test_a_ledger_at_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it through deltalake's object store, here one over a folder."""
    monkeypatch.setattr(delta_tables, "_folder", lambda _: None)
    root = tmp_path.as_uri()
    writer = LedgerTable(root)
    append(writer, 0, 1)
    append(writer, 2, 3)
    import_events(root, [event(9)], "a")
    assert compact(root, "events").before == 2
    ledger = Ledger.open(root)
    assert [each.id for b in ledger.event_batches("acme") for each in events_of(b)] == ["e9", "e0", "e1", "e2", "e3"]
    assert verify(ledger).complete
    next(tmp_path.rglob("import-*.parquet")).unlink()
    assert [each.problem for each in verify(ledger).damaged] == ["expected a file, and there is none"]
    with pytest.raises(LedgerUnreadable, match="a file that the Delta log names is gone"):
        list(ledger.event_batches("acme"))


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path.as_uri()), 0, 1)
    assert ids(tmp_path) == ["e0", "e1"]
