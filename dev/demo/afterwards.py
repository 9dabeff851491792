"""After the live part: the ledger that it has written is simulated, and must say what the live decisions said."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from dev.errors import StackError
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.ledger_errors import LedgerError, LedgerMissing
from spendgate.model.decision import VERDICTS, Decision, Verdict
from spendgate.model.policy import Policy
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.run import Options
from spendgate.simulate.selection import Selection

RECORDED_WITHIN_S = 60.0
CANNOT_BE_FOUND = 2
LOOK_EVERY_S = 0.2
SUGGESTED = ("--suggest", "team-burst", "--percent", "2", "--of", "dollars")
"""Of the example whose windows are short enough for an hour of history to hold several."""

Place = tuple[int, int, int]
"""Partition, offset, index in the message."""


@dataclass(frozen=True, slots=True)
class Study:
    """``agreed``, ``different``: calls on which the simulation and the live path say the same, or not. ``command``:
    what has made the report at ``page``, for anybody to run again."""

    agreed: int
    different: int
    page: Path
    command: Sequence[str]
    report: Mapping[str, Any]

    @property
    def suggestion(self) -> Mapping[str, Any] | None:
        """The ``suggest`` section of the report; None where the history holds no full window."""
        found: Mapping[str, Any] | None = self.report.get("suggest")
        return found


def wait_recorded(root: Path, topic_id: str, ends: Mapping[int, int], is_alive: Callable[[], bool]) -> None:
    """Wait until the ledger covers the event topic up to ``ends``. Raises StackError."""
    deadline = time.monotonic() + RECORDED_WITHIN_S
    while not _covers(root, topic_id, ends):
        if time.monotonic() > deadline or not is_alive():
            raise StackError("the ledger agents did not record what was sent; see their logs")
        time.sleep(LOOK_EVERY_S)


def _covers(root: Path, topic_id: str, ends: Mapping[int, int]) -> bool:
    try:
        ledger = Ledger.open(root)
    except LedgerMissing:
        return False
    except LedgerError as error:
        raise StackError(str(error)) from None
    return all(ledger.covered("events", topic_id, partition) >= end - 1 for partition, end in ends.items())


def study(
    root: Path, folder: Path, tenants: Sequence[str], files: Sequence[Path], policies: Sequence[Policy],
    live: Iterable[Decision], *, since: datetime | None = None, asked: Sequence[str] = SUGGESTED,
) -> Study:  # fmt: skip
    """Simulate ``policies`` (of ``files``) over the ledger, hold it against the live decisions, and write a page.

    ``since``: the first live call's time, where the ledger also holds calls from before. ``asked``: what else the page
    is to say, as options of ``spendgate simulate``.
    """
    simulated: dict[Place, Verdict] = {}
    for tenant in tenants:
        simulated |= _verdicts(root, folder / "decisions.parquet", Selection(since, where={"tenant": tenant}), policies)
    found = {(d.position.partition, d.position.offset, d.position.index): d.verdict for d in live}
    same = sum(simulated.get(place, "approve") == verdict for place, verdict in found.items())
    page = folder / "report.html"
    plain = _command(root, tenants[0], files, page)
    command = [*plain, *asked]
    report = _run(command)
    if report is None:  # a file of one's own may be shorter than any window
        command, report = plain, _run(plain) or {}
    return Study(same, len(found) - same + len(simulated.keys() - found.keys()), page, command, report)


def _verdicts(root: Path, path: Path, chosen: Selection, policies: Sequence[Policy]) -> dict[Place, Verdict]:
    """The worst verdict of each call that a policy looked at, by the costs that were recorded."""
    job = Job(
        command=(),
        policies=policies,
        source=Source(ledger=str(root)),
        selection=chosen,
        options=Options(as_recorded=True),
        decisions=path,
    )
    run_job(job)
    columns = pq.read_table(path, columns=["partition", "offset", "index", "verdict"]).to_pydict()
    worst: dict[Place, Verdict] = {}
    for *place, verdict in zip(*columns.values(), strict=True):
        at: Place = (place[0], place[1], place[2])
        worst[at] = max(verdict, worst.get(at, "approve"), key=VERDICTS.index)
    return worst


def _command(root: Path, tenant: str, files: Sequence[Path], page: Path) -> list[str]:
    policies = [part for path in files for part in ("--policy", str(path))]
    return ["simulate", *policies, "--ledger", str(root), "--where", f"tenant={tenant}", "--html", str(page)]


def _run(command: Sequence[str]) -> Mapping[str, Any] | None:
    """As a user runs it; the report, or None where what was asked for cannot be found in this history."""
    spendgate = Path(sys.executable).with_name("spendgate")
    done = subprocess.run([spendgate, *command, "--json"], capture_output=True, text=True, check=False)
    if done.returncode == CANNOT_BE_FOUND:
        return None
    if done.returncode:
        raise StackError(f"spendgate simulate ended with {done.returncode}: {done.stderr.strip()}")
    found: Mapping[str, Any] = json.loads(done.stdout)
    return found
