"""``spendgate ledger``: each command's result, its one line about what is wrong, and its exit code."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from dev.stack import Stack
from spendgate.cli.kafka_admin import topic_id
from spendgate.cli.kafka_client import Producer
from spendgate.cli.ledger import app
from spendgate.ledger.columns import EVENTS
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import batch_of
from spendgate.model.event import encode_events
from spendgate.model.partition import partition_of
from tests.cli.broker import Broker
from tests.ledger.delta_world import append, event, place


def run(*arguments: str | Path, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "200", **(env or {})})


def told(*arguments: str | Path, exit_code: int = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
    """What ``--json`` printed."""
    result = run(*arguments, "--json", env=env)
    assert result.exit_code == exit_code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A file of ten events, one of them twice, and a line that is none."""
    path = tmp_path / "history.jsonl"
    lines = [encode_events(event(number)) for number in (*range(9), 3)]
    path.write_bytes(b"\n".join([*lines, b'{"id": 7}']) + b"\n")
    return path


def test_a_file_is_imported_once(tmp_path: Path, history: Path) -> None:
    root = tmp_path / "ledger"
    first = told("import", history, "--ledger", root)
    assert {key: first[key] for key in ("rows", "duplicates", "quarantined", "already")} == {
        "rows": 10, "duplicates": 1, "quarantined": 1, "already": False,
    }  # fmt: skip
    assert json.loads(Path(first["quarantine"]).read_bytes())["line"] == 11
    assert "imported before, as number 1" in run("import", history, "--ledger", root).output
    assert told("info", "--ledger", root)["tenants"] == {"acme": 10}


def test_another_tenant_is_another_import(tmp_path: Path, history: Path) -> None:
    root = tmp_path / "ledger"
    told("import", history, "--ledger", root)
    assert not told("import", history, "--ledger", root, "--tenant", "zeta")["already"]
    assert told("info", "--ledger", root)["tenants"] == {"acme": 10, "zeta": 10}


def test_strict_takes_all_rows_or_none(tmp_path: Path, history: Path) -> None:
    result = run("import", history, "--ledger", tmp_path / "ledger", "--strict")
    assert (result.exit_code, "line 11: " in result.output) == (2, True)
    assert told("info", "--ledger", tmp_path / "ledger")["tenants"] == {}


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl"])
def test_an_export_holds_every_event_in_order(tmp_path: Path, history: Path, name: str) -> None:
    told("import", history, "--ledger", tmp_path / "ledger")
    out = tmp_path / name
    assert told("export", out, "--ledger", tmp_path / "ledger", "--from", "2026-11-05T22:00:02+0000")["rows"] == 8
    expected = [f"e{number}" for number in (2, 3, 3, *range(4, 9))]
    if name.endswith("parquet"):
        rows = pq.read_table(out)
        assert rows.schema.names == EVENTS.names
        assert rows["id"].to_pylist() == expected
    else:
        assert [json.loads(line)["id"] for line in out.read_bytes().splitlines()] == expected
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_compaction_tells_what_it_did(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    for offset in range(3):
        append(writer, offset, offset)
    done = told("compact", "--ledger", tmp_path, "--vacuum")
    assert done == {"events": {"files_before": 3, "files_after": 1, "rows": 3, "deleted": 0}}
    assert "0 small files" in run("compact", "--ledger", tmp_path).output


def test_verify_ends_with_1_on_a_gap_and_shows_it(tmp_path: Path) -> None:
    writer = LedgerTable(tmp_path)
    append(writer, 0, 2)
    assert told("verify", "--ledger", tmp_path)["complete"]
    append(writer, 5, 6)
    [source] = told("verify", "--ledger", tmp_path, exit_code=1)["sources"]
    assert source["gaps"] == [[3, 4]]
    shown = run("verify", "--ledger", tmp_path)
    assert (shown.exit_code, "missing 3 to 4" in shown.output, "not complete" in shown.output) == (1, True, True)


@pytest.mark.parametrize("command", ["info", "verify", "compact"])
def test_no_ledger_is_one_line_and_exit_code_2(tmp_path: Path, command: str) -> None:
    result = run(command, "--ledger", tmp_path / "nowhere")
    assert (result.exit_code, len(result.output.splitlines())) == (2, 1)
    assert "no ledger here" in result.output


def test_wrong_usage_never_repeats_a_secret(tmp_path: Path) -> None:
    result = run("info", "--ledger", tmp_path, "--storage-option", "hunter2")
    assert (result.exit_code, "hunter2" in result.output) == (2, False)
    assert "expected KEY=VALUE" in result.output
    assert run("export", tmp_path / "x.csv", "--ledger", tmp_path).exit_code == 2


def test_info_shows_tables_and_tenants(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path), 0, 2, tenants=["acme", "zeta"])
    shown = run("info", "--ledger", tmp_path).output
    assert "zeta: 3 events" in shown
    assert told("info", "--ledger", tmp_path)["tables"]["events"]["topic_partitions"][0]["covered"] == 2


def test_verify_compares_with_the_topics_own_offsets(tmp_path: Path, stack: Stack) -> None:
    broker = Broker(stack.bootstrap)
    topic = broker.topics.events
    with Producer(stack.bootstrap, 20, lambda line: None) as producer:
        for number in range(4):
            producer.publish(topic.name, b"acme", encode_events(event(number)))
    source = topic_id(stack.bootstrap, topic.name), partition_of(b"acme", topic.partitions)
    writer = LedgerTable(tmp_path)

    def recorded(offset: int) -> None:
        batch = batch_of([event(offset)], [place(offset, 0, source)])
        writer.append("events", [batch], source, offset, first_offset=offset)

    def behind() -> dict[int, int]:
        found = told("verify", "--ledger", tmp_path, "--kafka", env=broker.env)["sources"]
        return {each["partition"]: each["behind"] for each in found if each["table"] == "events" and each["behind"]}

    recorded(0)
    assert behind() == {source[1]: 3}
    for offset in range(1, 4):
        recorded(offset)
    assert behind() == {}
    recorded(9)
    last = told("verify", "--ledger", tmp_path, "--kafka", env=broker.env, exit_code=1)["sources"]
    [ours] = [each for each in last if each["table"] == "events" and each["partition"] == source[1]]
    assert (ours["gaps"], ours["past_end"]) == ([[4, 8]], True)


def test_a_broker_that_is_away_is_told_in_one_line(tmp_path: Path) -> None:
    append(LedgerTable(tmp_path), 0, 0)
    result = run("verify", "--ledger", tmp_path, "--bootstrap", "not an address")
    assert (result.exit_code, len(result.output.splitlines())) == (3, 1)
