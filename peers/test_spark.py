"""A ledger judged on Spark gives the report of one machine, to the byte."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from spendgate.ledger.delta_import import import_events
from spendgate.ledger.sample import busy_hour
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.report import encode
from spendgate.simulate.run import Options
from spendgate.simulate.selection import EVERYTHING, Selection

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "examples").glob("*.yaml"))
START = datetime(2026, 11, 2, 9, tzinfo=UTC)
TENANTS = 6
CASES: Mapping[str, tuple[Options, Selection]] = {
    "everything": (Options(), EVERYTHING),
    "reviews refused": (Options(refuse_reviews=True), EVERYTHING),
    "as recorded": (Options(as_recorded=True), EVERYTHING),
    "one team": (Options(), Selection(where={"team": "marketing"})),
    "one tenant": (Options(), Selection(where={"tenant": "tenant-3"})),
    "two hours": (Options(), Selection(START + timedelta(hours=1), START + timedelta(hours=3))),
}

pytestmark = pytest.mark.filterwarnings("ignore")  # PySpark's own, about the versions of what it stands on


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several tenants, each with annotations and repeats, in several imports."""
    root = tmp_path_factory.mktemp("spark")
    for number in range(TENANTS):
        events = busy_hour(1500 + 300 * number, number, START + timedelta(hours=number), f"tenant-{number}")
        import_events(root, events, f"{number:064x}")
    return root


@pytest.fixture(scope="module")
def policies() -> list[Policy]:
    return [read_policy(path.read_text(encoding="utf-8"), path.name) for path in FILES]


def report(job: dict[str, Any], spark_master: str | None) -> str:
    return encode(run_job(Job(["spendgate"], **job, spark_master=spark_master)))


@pytest.mark.parametrize("case", CASES)
def test_the_report_is_that_of_one_machine(ledger: Path, policies: list[Policy], case: str) -> None:
    options, selection = CASES[case]
    job = {"policies": policies, "source": Source(ledger=str(ledger)), "options": options, "selection": selection}
    alone = report(job, None)
    assert report(job, "local[2]") == alone


def command(ledger: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    files = [part for path in FILES for part in ("--policy", str(path))]
    spendgate = Path(sys.executable).with_name("spendgate")
    words = [str(spendgate), "simulate", *files, "--ledger", str(ledger), "--json", *more]
    return subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ})


def test_the_command_prints_the_same_bytes(ledger: Path) -> None:
    spark = command(ledger, "--lint", "--engine", "spark", "--spark-master", "local[2]")
    assert spark.returncode == 0
    assert spark.stdout == command(ledger, "--lint").stdout


def test_rows_of_every_call_are_refused_in_one_line(ledger: Path, tmp_path: Path) -> None:
    refused = command(ledger, "--engine", "spark", "--decisions", str(tmp_path / "rows.parquet"))
    assert refused.returncode == 2
    assert refused.stderr.startswith("spendgate: engine: expected --ledger")
    assert not (tmp_path / "rows.parquet").exists()
