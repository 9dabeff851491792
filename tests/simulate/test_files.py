"""Simulation of a file: its totals are those of its rows, and nothing half-written stays."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from spendgate.cli.main import app
from spendgate.ledger.sample import busy_hour
from spendgate.model.event import encode_events
from spendgate.model.policy_source import read_policy
from spendgate.simulate import history
from tests.simulate.drawn_files import simulate_file

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
POLICY = Path(__file__).parents[2] / "examples" / "marketing-monthly.yaml"


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A sample of 3,000 records."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(encode_events(event) for event in busy_hour(3000, 1, START)))
    return path


def test_totals_are_those_of_the_rows(events: Path, tmp_path: Path) -> None:
    policy = read_policy(POLICY.read_text(), POLICY.name)
    out = tmp_path / "out.parquet"
    report = simulate_file([policy], events, out)
    rows = pq.read_table(out).to_pylist()
    closed = report["verdicts"]["closed"]
    assert report["history"]["calls"] == sum(each["calls"] for each in closed.values()) > 2900
    assert report["history"]["duplicates"] > 0
    assert {row["policy"] for row in rows} == {"marketing-monthly"}
    assert sum(row["verdict"] == "deny" for row in rows) == closed["deny"]["calls"]


def test_an_interrupted_simulation_leaves_no_file(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "batch_of", interrupted)
    policy = read_policy(POLICY.read_text(), POLICY.name)
    with pytest.raises(KeyboardInterrupt):
        simulate_file([policy], events, tmp_path / "out.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl"]


def test_the_command_prints_one_json_object(events: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "--policy", str(POLICY), "--events", str(events), "--json"])
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert said["history"]["calls"] == sum(each["calls"] for each in said["verdicts"]["closed"].values())
    assert [each["name"] for each in said["policies"]] == ["marketing-monthly"]


def test_a_file_that_is_no_policy_ends_with_1(events: Path) -> None:
    assert CliRunner().invoke(app, ["simulate", "--policy", str(events), "--events", str(events)]).exit_code == 1
