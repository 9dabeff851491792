"""Two exported files and the policies say what the ledger itself says, with no server and no ledger."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from typer.testing import CliRunner

from spendgate.cli.main import app
from spendgate.model.activation import Action, Activation
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.reconciliation import decode_reconciliation
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.run import reconcile
from spendgate.reconcile.two_files import TwoFiles, ledger_of
from tests.engine.evaluate import evaluate
from tests.engine.scenes import TENANT, budget, call, examples, log_of, policy
from tests.oracle.documents import Record
from tests.reconcile.test_command import files, run
from tests.reconcile.test_reconcile import CAPPED, OTHER, begun, busy, reconciled, shifted, with_sums, write
from tests.strategies import Log, logs

TIGHT = policy(budget("3", {"calendar": "day", "timezone": "UTC"}), name="tight")
FORMATS = ("parquet", "jsonl")


def exported(ledger: Path, folder: Path, ending: str, tenant: str = TENANT) -> TwoFiles:
    """What ``spendgate ledger export`` writes of a tenant, activations too."""
    found = TwoFiles(folder / f"events.{ending}", folder / f"decisions.{ending}", folder / "activations.jsonl")
    for table, path in found._asdict().items():
        arguments = ["ledger", "export", str(path), "--ledger", str(ledger), "--table", table, "--tenant", tenant]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    return found


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("is_altered", [False, True], ids=["right", "altered"])
def test_two_files_say_what_the_ledger_says(tmp_path: Path, ending: str, is_altered: bool) -> None:
    log, decisions, policies = busy()
    if is_altered:
        decisions[17] = with_sums(decisions[17], shifted)
        del decisions[30]
    write(tmp_path / "ledger", log, decisions)
    two = exported(tmp_path / "ledger", tmp_path, ending)
    code, out, error = run(*options(two), *files(tmp_path, CAPPED, OTHER), "--json")
    assert (code, error) == (1, "")
    found, whole = decode_reconciliation(out.encode()), reconciled(log, decisions, policies)
    for field in ("calls", "differences", "sources", "stagings", "engine_versions", "observed", "lag"):
        assert getattr(found, field) == getattr(whole, field), field
    assert (found.calls.replayed, len(found.differences)) == (40, 2 if is_altered else 0)


def test_an_export_of_a_version_without_check_ids_is_read_and_told_as_that_versions(tmp_path: Path) -> None:
    log, decisions, _ = busy()
    older = [msgspec.structs.replace(each, engine_version="2+tzdata.2026.1") for each in decisions]
    write(tmp_path / "ledger", log, older)
    two = exported(tmp_path / "ledger", tmp_path, "parquet")
    pq.write_table(pq.read_table(two.decisions).drop_columns(["check_id"]), two.decisions)
    code, out, error = run(*options(two), *files(tmp_path, CAPPED, OTHER), "--json")
    found = decode_reconciliation(out.encode())
    assert (code, error, [(each.cause, each.calls) for each in found.differences]) == (
        1, "", [("evaluator_changed", 40)],
    )  # fmt: skip
    pq.write_table(pq.read_table(two.decisions).drop_columns(["verdict"]), two.decisions)
    assert "expected a Parquet file, as `spendgate export` writes it" in run(*options(two), *files(tmp_path, CAPPED))[2]


def of_tenant(
    tenant: str, records: Iterable[Record], decisions: Iterable[Decision]
) -> tuple[list[Record], list[Decision]]:
    """What a tenant's own files can know of a log: how far other tenants' records have taken it they cannot."""
    return [each for each in records if each.body.tenant == tenant], [d for d in decisions if d.tenant == tenant]


@examples(5)
@given(logs(messages=14))
def test_files_of_any_log_say_what_its_ledger_says(log: Log) -> None:
    _, owed = evaluate(log.documents, [log.records])
    with TemporaryDirectory() as name:
        folder = Path(name)
        ledger = write(folder / "ledger", log.records, list(owed.values()))
        for tenant in set(ledger.tenants()) & {each.tenant for each in owed.values()}:
            two = exported(folder / "ledger", folder, "jsonl", tenant)
            read, found = ledger_of(two, tenant, log.documents, folder / f"read-{tenant}")
            assert found == tenant
            alone = write(folder / f"alone-{tenant}", *of_tenant(tenant, log.records, owed.values()))
            mine, whole = (reconcile(each, log.documents, Wanted(tenant)) for each in (read, alone))
            assert (mine.calls, mine.differences, mine.windows) == (whole.calls, whole.differences, whole.windows)


def test_what_was_staged_ended_and_enforced_is_found_from_the_decisions(tmp_path: Path) -> None:
    log = log_of(
        begun(CAPPED), *calls(0, 5), begun(TIGHT, staging="second"), *calls(5, 5), enforced("staging"), *calls(10, 5),
        ended("staging"), begun(CAPPED, staging="third"), *calls(15, 5),
    )  # fmt: skip
    policies = {policy_hash(each): each for each in (CAPPED, TIGHT)}
    _, owed = evaluate(policies, [log])
    write(tmp_path / "ledger", log, list(owed.values()))
    two = exported(tmp_path / "ledger", tmp_path, "parquet")._replace(activations=None)
    read, _ = ledger_of(two, None, policies, tmp_path / "read")
    found = reconcile(read, policies, Wanted(TENANT))
    assert (found.calls.matched, found.differences) == (20, ())
    assert {each.staging: each.stage for each in found.stagings} == {
        "staging": "enforced", "second": "shadow", "third": "shadow",
    }  # fmt: skip


def test_a_staging_that_no_decision_names_has_to_be_told(tmp_path: Path) -> None:
    log, decisions, _ = busy()
    write(tmp_path / "ledger", log, [msgspec.structs.replace(each, reasons=()) for each in decisions])
    two = exported(tmp_path / "ledger", tmp_path, "jsonl")
    known = files(tmp_path, CAPPED, OTHER)
    code, _, error = run(*options(two._replace(activations=None)), *known)
    assert code == 2
    assert "--activations FILE" in error
    assert run(*options(two), *known)[2] == ""


@pytest.mark.parametrize(
    ("without", "more", "expected"),
    [
        ("decisions", [], "expected both or none"),
        (None, ["--counters"], "expected no server to be asked"),
        (None, ["--ledger", "ledger"], "expected --ledger PATH, or --events FILE"),
    ],
    ids=["one", "server", "both"],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, without: str | None, more: list[str], expected: str) -> None:
    log, decisions, _ = busy()
    write(tmp_path / "ledger", log, decisions)
    two = exported(tmp_path / "ledger", tmp_path, "jsonl")
    given = options(two)[:2] if without else options(two)
    code, _, error = run(*given, *files(tmp_path, CAPPED, OTHER), *more)
    assert code == 2
    assert expected in error


@pytest.mark.parametrize("table", ["events", "decisions", "activations"])
def test_a_line_that_is_no_export_is_named_and_never_repeated(tmp_path: Path, table: str) -> None:
    log, decisions, _ = busy()
    write(tmp_path / "ledger", log, decisions)
    two = exported(tmp_path / "ledger", tmp_path, "jsonl")
    path = getattr(two, table)
    path.write_bytes(b'{"secret": 1}\n' + path.read_bytes())
    code, out, error = run(*options(two), *files(tmp_path, CAPPED, OTHER))
    assert (code, out) == (2, "")
    assert f"{table}: line 1: expected" in error
    assert "secret" not in error


def options(two: TwoFiles) -> list[Path | str]:
    return [part for name, path in two._asdict().items() if path is not None for part in (f"--{name}", path)]


def calls(first: int, count: int) -> list[Event]:
    return [call(timedelta(minutes=n), f"e{n}", team=f"t{n % 2}") for n in range(first, first + count)]


def enforced(staging: str) -> Activation:
    return changed(staging, "enforce")


def ended(staging: str) -> Activation:
    return changed(staging, "end")


def changed(staging: str, action: Action) -> Activation:
    made = begun(CAPPED, staging=staging)
    return msgspec.structs.replace(made, id=f"{action}-{staging}", action=action)
