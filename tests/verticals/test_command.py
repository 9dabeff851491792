"""What the command says of a wrong wish, before it starts anything."""

import subprocess
import sys
from pathlib import Path

import pytest

USAGE = 2


def demo(*args: str) -> "subprocess.CompletedProcess[str]":
    spendgate = Path(sys.executable).with_name("spendgate")
    return subprocess.run([spendgate, "demo", *args], capture_output=True, text=True, timeout=120, check=False)


def test_what_is_no_vertical_ends_with_the_names_of_those_there_are() -> None:
    done = demo("--vertical", "no-such-thing", "--json")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "expected one of enterprise, healthcare, legal, real-estate, or a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_vertical_has_records_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("")
    done = demo("--vertical", "legal", "--file", str(tmp_path / "events.jsonl"))
    assert done.returncode == USAGE
    assert "--vertical or --file" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VERTICAL = 3", "work.py: expected a VERTICAL, of dev.verticals.kit"),
        ("import no_such_module", "work.py: expected Python that can be imported; ModuleNotFoundError"),
    ],
    ids=["no vertical", "no Python that runs"],
)
def test_a_folder_of_ones_own_that_is_none_says_what_was_expected(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "cap.yaml").write_text(
        "apiVersion: spendgate/v1\nkind: Policy\nmetadata: {name: cap}\n"
        'spec: {rules: [{budget: {cap_usd: "2", window: {calendar: day}, on_breach: deny}}]}\n'
    )
    (tmp_path / "work.py").write_text(text)
    done = demo("--vertical", str(tmp_path), "--json")
    assert done.returncode == USAGE
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
