"""Laws of ``spendgate simulate``: what it prints, what it exits with, and that it needs no broker."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from spendgate.cli.main import app
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.simulate import history
from tests.engine.scenes import budget, call, policy
from tests.simulate.drawn_files import write_events

ONE = policy(budget("2", {"lifetime": True}))


def run(*arguments: Path | str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["simulate", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_bytes(canonical_bytes(ONE))
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return write_events(tmp_path / "events.jsonl", [call(timedelta(seconds=n), f"e{n}") for n in range(5)])


def test_it_tells_verdicts_and_dollars(sound: Path, events: Path) -> None:
    code, out, err = run("--policy", sound, "--events", events)
    assert (code, err) == (0, "")
    assert "$2.00" in out
    assert "$3.00" in out


def test_json_is_one_object_and_nothing_else(sound: Path, events: Path) -> None:
    code, out, err = run("--policy", sound, "--events", events, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["policies"] == [{"name": "policy", "version": policy_hash(ONE)}]
    assert report["history"]["calls"] == 5
    assert {v: each["calls"] for v, each in report["verdicts"]["closed"].items() if each["calls"]} == {
        "approve": 2,
        "deny": 3,
    }


def test_the_same_inputs_give_the_same_bytes_and_a_report_can_be_checked(
    sound: Path, events: Path, tmp_path: Path
) -> None:
    _, first, _ = run("--policy", sound, "--events", events, "--json")
    _, second, _ = run("--json", "--events", events, "--policy", sound)
    assert first == second
    report = tmp_path / "report.json"
    report.write_text(first)
    assert run("--again", report)[0] == 0
    events.write_bytes(events.read_bytes() + events.read_bytes().replace(b"e4", b"e9"))
    code, _, err = run("--again", report)
    assert code == 1
    assert "source" in err


def test_rows_are_written_where_they_are_asked_for(sound: Path, events: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    assert run("--policy", sound, "--events", events, "--decisions", rows)[0] == 0
    assert pq.read_table(rows).column("verdict").to_pylist() == ["approve", "approve", "deny", "deny", "deny"]


def test_a_given_tenant_is_everybodys(sound: Path, events: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    run("--policy", sound, "--events", events, "--decisions", rows, "--tenant", "other")
    assert set(pq.read_table(rows).column("tenant").to_pylist()) == {"other"}


def test_columns_of_a_csv_file_are_mapped(sound: Path, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_text("When,Cost,Id\n2026-05-01T10:00:00Z,1.5,a\n2026-05-01T11:00:00Z,1.5,b\n", encoding="utf-8")
    _, out, _ = run("--policy", sound, "--events", path, "--map", "time=When,cost_usd=Cost,id=Id", "--json")
    assert [json.loads(out)["verdicts"]["closed"][v]["cost_nano_usd"] for v in ("approve", "deny")] == [15 * 10**8] * 2


def test_rows_that_cannot_be_read_are_told_of_and_no_failure(sound: Path, events: Path) -> None:
    events.write_bytes(b'{"prompt":"SENTINEL"}\n' + events.read_bytes())
    code, out, err = run("--policy", sound, "--events", events, "--json")
    assert code == 0
    assert json.loads(out)["history"]["refused_rows"] == 1
    assert "1 rows could not be read" in err
    assert "SENTINEL" not in out + err


def test_an_invalid_policy_is_found_with_1_and_its_line(sound: Path, events: Path) -> None:
    sound.write_bytes(sound.read_bytes().replace(b'"kind"', b'"kid"'))
    code, out, err = run("--policy", sound, "--events", events)
    assert (code, out) == (1, "")
    assert str(sound) in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "policy.yaml", "--policy", "policy.yaml", "--events", "events.jsonl"], "each policy once"),
        (["--policy", "policy.yaml", "--events", "empty.jsonl"], "line 1: expected"),
        (["--policy", "policy.yaml", "--events", "events.jsonl", "--tenant", "two words"], "tenant: expected"),
        (["--policy", "policy.yaml", "--events", "events.jsonl", "--map", "cost"], "map: expected"),
        (["--policy", "policy.yaml", "--events", "events.jsonl", "--decisions", "gone/rows.parquet"], "gone"),
        (["--policy", "gone.yaml", "--events", "events.jsonl"], "gone.yaml"),
        (["--policy", "policy.yaml"], "--events"),
        (["--events", "events.jsonl"], "--policy"),
    ],
)
@pytest.mark.usefixtures("sound", "events")
def test_wrong_usage_is_2_and_one_word_of_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").touch()
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} == {"policy.yaml", "events.jsonl", "empty.jsonl"}


def test_an_interrupt_is_130_and_leaves_no_table(
    sound: Path, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "open_reading", interrupted)
    code, _, err = run("--policy", sound, "--events", events, "--decisions", tmp_path / "rows.parquet")
    assert code == 130
    assert err.strip() == "spendgate: interrupted"
    assert {path.name for path in tmp_path.iterdir()} == {"policy.yaml", "events.jsonl"}


def test_it_needs_neither_kafka_nor_redis(sound: Path, events: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('kafka', 'aiokafka', 'redis', 'faust'): sys.modules[name] = None\n"
        "from spendgate.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "simulate", "--policy", sound, "--events", events, "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["history"]["calls"] == 5
