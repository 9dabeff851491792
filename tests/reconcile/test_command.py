"""Laws of ``spendgate reconcile``: what it exits with, and that what is wrong is one line that says what to do."""

import json
from pathlib import Path

import jsonschema
import pytest
from typer.testing import CliRunner

from spendgate.cli.main import app
from spendgate.model.canonical import canonical_bytes
from spendgate.model.policy import Policy
from tests.engine.scenes import TENANT
from tests.reconcile.test_reconcile import CAPPED, OTHER, busy, shifted, with_sums, write


def run(*arguments: Path | str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    result = CliRunner().invoke(app, ["reconcile", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def files(folder: Path, *policies: Policy) -> list[Path | str]:
    found: list[Path | str] = []
    for each in policies:
        path = folder / f"{each.metadata.name}.json"
        path.write_bytes(canonical_bytes(each))
        found += ["--policy", path]
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    log, decisions, _ = busy()
    write(tmp_path / "ledger", log, decisions)
    return tmp_path / "ledger"


def test_it_tells_the_sample_the_criteria_and_what_is_missing(ledger: Path, tmp_path: Path) -> None:
    code, out, _ = run("capped", "--ledger", ledger, *files(tmp_path, CAPPED, OTHER))
    assert code == 1
    assert "capped  inconclusive" in out
    assert "40 of 40 calls agree" in out
    assert "at most 7.500 % differ" in " ".join(out.split())
    assert "960" in out


def test_a_difference_is_told_with_its_call_and_its_cause(tmp_path: Path) -> None:
    log, decisions, _ = busy()
    decisions[17] = with_sums(decisions[17], shifted)
    write(tmp_path / "ledger", log, decisions)
    code, out, _ = run("--ledger", tmp_path / "ledger", *files(tmp_path, CAPPED, OTHER))
    assert code == 1
    assert "1 mismatched, cause: counter altered" in out
    assert "e17: capped, rule 0, team=t1: the counter was off by 7 nano-USD recorded, 7 admitted" in " ".join(
        out.split()
    )


def test_json_is_the_whole_result(ledger: Path, tmp_path: Path) -> None:
    _, out, _ = run("--ledger", ledger, "--json", "--tenant", TENANT, *files(tmp_path, CAPPED, OTHER))
    found = json.loads(out)
    assert (found["outcome"], found["calls"]["matched"], found.get("differences")) == ("inconclusive", 40, None)
    assert [each["staging"] for each in found["stagings"]] == ["second", "staging"]
    jsonschema.validate(found, json.loads(Path("schemas/reconciliation.schema.json").read_text()))


def test_what_is_wrong_is_one_line(ledger: Path, tmp_path: Path) -> None:
    sound = files(tmp_path, CAPPED, OTHER)
    wrong: dict[str, list[Path | str]] = {
        "ledger, policy: expected": [],
        "no ledger here": ["--ledger", tmp_path / "none", *sound],
        "policy: expected the file of version": ["--ledger", ledger, *files(tmp_path, CAPPED)],
        "tenant: expected one that the ledger has": ["--ledger", ledger, "--tenant", "nobody", *sound],
        "from: expected an instant": ["--ledger", ledger, "--from", "2026-05-01", *sound],
    }
    for words, arguments in wrong.items():
        code, _, err = run(*arguments)
        assert (code, len(err.strip().splitlines())) == (2, 1), err
        assert words in err


def test_a_bill_is_compared_and_a_waiver_says_why_something_need_not_hold(ledger: Path, tmp_path: Path) -> None:
    bill = tmp_path / "bill.csv"
    bill.write_text("day,vendor,model,cost_usd\n2026-05-01,openai,gpt-4o,1\n")
    sound = ["--ledger", ledger, *files(tmp_path, CAPPED, OTHER), "--bill", bill]
    _, out, _ = run(*sound, "--bill-final", "--waive", "counters=no Redis here", "--json")
    found = json.loads(out)
    criteria = {each["name"]: each for each in found["criteria"]}
    assert criteria["counters"]["waiver"] == "no Redis here"
    assert criteria["bill"]["outcome"] == "inconclusive"  # the ledger does not have the whole day
    assert [each["why"] for each in found["bill"]["set_aside"]] == ["outside"]
    wrong = {
        "waive: expected CRITERION=REASON": ["--waive", "bill"],
        "waive: differences: expected one of": ["--waive", "differences=never mind"],
        "bill-timezone: expected an IANA time zone": ["--bill-timezone", "Mars/Olympus"],
        "bill-calendar: expected day or month": ["--bill-calendar", "week"],
        "bill map: dai: expected one of day": ["--bill-map", "dai=day"],
    }
    for words, arguments in wrong.items():
        code, _, err = run(*sound, *arguments)
        assert (code, len(err.strip().splitlines())) == (2, 1), err
        assert words in err
