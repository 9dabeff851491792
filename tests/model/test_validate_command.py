"""Laws of ``spendgate validate``: what it prints, what it exits with, and what it never imports."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from spendgate.cli.validate import validate
from spendgate.model.canonical import policy_hash
from spendgate.model.policy_source import read_policy

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
SOUND = """apiVersion: spendgate/v1
kind: Policy
metadata: {name: sound}
spec:
  scope: {team: [marketng]}
  rules: [{boundary: {max_cost_usd: "1", on_breach: deny}}]
"""
app = typer.Typer()
app.command()(validate)


def run(*arguments: Path | str, stdin: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    return result.exit_code, result.output


def run_json(*arguments: Path | str) -> tuple[int, dict[str, Any]]:
    code, output = run(*arguments, "--json")
    return code, json.loads(output)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.yaml"
    path.write_text(SOUND, encoding="utf-8")
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.yaml"
    path.write_text(SOUND.replace("kind", "kid").replace('"1"', "1"), encoding="utf-8")
    return path


@pytest.fixture
def known(tmp_path: Path) -> Path:
    path = tmp_path / "known.json"
    path.write_text('{"team": ["marketing"]}', encoding="utf-8")
    return path


def test_the_examples_are_valid_without_a_warning() -> None:
    code, output = run(*EXAMPLES, "--strict")
    assert code == 0
    assert [line.split(": ")[0] for line in output.splitlines()] == [str(path) for path in EXAMPLES]


def test_a_sound_policy_is_shown_with_its_short_hash(sound: Path) -> None:
    code, output = run(sound)
    assert code == 0
    assert output == f"{sound}: sound {policy_hash(read_policy(SOUND, 'file'))[:12]}\n"


def test_every_error_has_its_place_and_the_exit_code_is_1(broken: Path) -> None:
    code, output = run(broken)
    assert code == 1
    assert output.splitlines() == [
        f"{broken}:2:1: kid: unknown field (did you mean `kind`?)",
        (f'{broken}:6:37: spec.rules[0].boundary.max_cost_usd: expected dollars as a quoted string, such as "500"'),
    ]


def test_warnings_exit_0_and_under_strict_1(sound: Path, known: Path) -> None:
    code, output = run(sound, "--known", known)
    assert code == 0
    warning = "warning: spec.scope.team[0]: matches no known team (did you mean `marketing`?)"
    assert output.splitlines()[0] == f"{sound}:5:18: {warning}"
    assert run(sound, "--known", known, "--strict")[0] == 1


def test_known_values_add_up(sound: Path, known: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text('{"id": "1", "team": "marketng"}\n', encoding="utf-8")
    assert run(sound, "--known", known, "--events", events, "--strict")[0] == 0


def test_json_holds_what_the_lines_hold(sound: Path, broken: Path, known: Path) -> None:
    code, report = run_json(sound, broken, "--known", known)
    assert code == 1
    assert report["ok"] is False
    assert report["policies"] == [
        {"file": str(sound), "name": "sound", "hash": policy_hash(read_policy(SOUND, "file"))}
    ]
    assert {each["field"] for each in report["errors"]} >= {"kid", "spec.rules[0].boundary.max_cost_usd"}
    assert [(each["line"], each["column"], each["nearest"]) for each in report["warnings"]] == [(5, 18, "marketing")]


def test_an_unreadable_file_exits_3_and_hides_nothing_else(broken: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    code, report = run_json(missing, broken, tmp_path)
    assert code == 3
    assert [each["file"] for each in report["unreadable"]] == [str(missing), str(tmp_path)]
    assert report["errors"]


@pytest.mark.parametrize("option", ["--known", "--events"])
def test_known_values_that_cannot_be_read_are_told(option: str, sound: Path, tmp_path: Path) -> None:
    assert run(sound, option, tmp_path / "missing")[0] == 3
    code, output = run(sound, option, sound)
    assert code == 2
    assert "expected" in output
    assert "Traceback" not in output


def test_a_name_used_in_two_files_is_a_warning(sound: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.json"
    second.write_text(json.dumps(read_policy(SOUND, "file").model_dump(exclude_none=True)), encoding="utf-8")
    code, report = run_json(sound, second)
    assert code == 0
    assert [(each["file"], each["field"]) for each in report["warnings"]] == [(str(second), "metadata.name")]


def test_stdin_is_read_as_a_file() -> None:
    assert run("-", stdin=SOUND)[1].startswith("<stdin>: sound ")


def test_no_file_is_wrong_usage() -> None:
    assert run()[0] == 2


def test_checking_imports_neither_the_engine_nor_a_service() -> None:
    program = (
        "import sys, spendgate.cli.validate;"
        "heavy = {'numba', 'numpy', 'pyarrow', 'kafka', 'aiokafka', 'faust', 'redis'};"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
