"""Laws of ``spendgate import``: files whole or not at all, exit codes, and the same list in words and JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spendgate.cli.import_policies import app
from spendgate.model.policy_source import read_policy

HEADER = "1000;w=86400;u=cents;s=user"


def run(*arguments: Path | str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def run_json(*arguments: Path | str) -> tuple[int, dict[str, Any]]:
    code, output = run(*arguments, "--json")
    return code, json.loads(output)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("litellm_settings: {max_budget: 9.5, budget_duration: 1d}\ngeneral_settings: {master_key: sk-1}\n")
    return path


def test_all_carried_is_0_and_what_is_left_is_1(tmp_path: Path, config: Path) -> None:
    assert run("helicone", HEADER, "--out", tmp_path / "a")[0] == 0
    code, output = run("litellm", config, "--out", tmp_path / "b")
    assert code == 1
    assert "general_settings" in output
    assert "sk-1" not in output


def test_json_says_what_the_files_hold(tmp_path: Path, config: Path) -> None:
    code, found = run_json("litellm", config, "--out", tmp_path / "out")
    assert (code, found["ok"]) == (1, False)
    (each,) = found["policies"]
    text = Path(each["file"]).read_text(encoding="utf-8")
    assert read_policy(text, "file").metadata.name == each["name"]
    assert text.startswith("# Imported from LiteLLM (config.yaml):\n#   litellm_settings.max_budget\n")
    assert [note["path"] for note in found["not_carried"]] == ["general_settings"]


def test_a_file_that_is_there_is_replaced_only_if_asked(tmp_path: Path) -> None:
    assert run("helicone", HEADER, "--out", tmp_path)[0] == 0
    (path,) = tmp_path.iterdir()
    path.write_text("mine", encoding="utf-8")
    assert run("helicone", HEADER, "--out", tmp_path)[0] == 2
    assert path.read_text(encoding="utf-8") == "mine"
    assert run("helicone", HEADER, "--out", tmp_path, "--overwrite")[0] == 0
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("options", [["--map", "key"], ["--map", "key=colour"], ["--map", "=team"]])
def test_a_mapping_names_a_field(tmp_path: Path, options: list[str]) -> None:
    code, output = run("helicone", HEADER, "--out", tmp_path / "out", *options)
    assert (code, (tmp_path / "out").exists()) == (2, False)
    assert "--map" in output


@pytest.mark.parametrize("system", ["litellm", "portkey", "envoy"])
def test_a_file_that_holds_nothing_of_the_kind_is_told_in_one_line(tmp_path: Path, system: str) -> None:
    (tmp_path / "file").write_text("secret-value: 1", encoding="utf-8")
    for file in ("file", "none"):
        code, output = run(system, tmp_path / file, "--out", tmp_path / "out")
        assert code == 2
        assert len(output.splitlines()) == 1
        assert "secret" not in output.removeprefix(str(tmp_path))
