"""One simulation as it was asked for, from its inputs to its report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import InputError, Refused
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy import Policy
from spendgate.prices.book import PriceBook
from spendgate.simulate.compare import compare
from spendgate.simulate.history import FileHistory, History, LedgerHistory
from spendgate.simulate.report import About, report_of
from spendgate.simulate.repriced import Repriced
from spendgate.simulate.review_queue import Reviewers
from spendgate.simulate.rows import COLUMNS, DecisionRows
from spendgate.simulate.run import Options, Progress, Run, simulate
from spendgate.simulate.selection import EVERYTHING, Selection
from spendgate.simulate.timeline import timeline
from spendgate.simulate.traffic_lint import lint


@dataclass(frozen=True)
class Source:
    """Exactly one of ``ledger`` (a folder or a URL) and ``events`` (a file or a folder of files)."""

    ledger: str | None = None
    events: Path | None = None
    read: ReadOptions = field(default_factory=ReadOptions)
    storage_options: Mapping[str, str] = field(default_factory=dict)
    version: int | None = None


@dataclass(frozen=True)
class Job:
    """What to simulate. ``against``: other policies to compare with. ``prices``: a book and whose instant's prices
    (None: each event's own). ``sections``: more to find out, by the name of their section of the report.
    ``spark_master``: judge on Spark, at this master; only a ledger can be, and other passes are made here."""

    command: Sequence[str]
    policies: Sequence[Policy]
    source: Source
    selection: Selection = EVERYTHING
    options: Options = field(default_factory=Options)
    reviewers: Reviewers | None = None
    against: Sequence[Policy] = ()
    prices: tuple[PriceBook, datetime | None] | None = None
    decisions: Path | None = None
    with_lint: bool = False
    with_timeline: bool = False
    sections: Mapping[str, Callable[[History, Run], Any]] = field(default_factory=dict)
    spark_master: str | None = None


@dataclass
class _Refusals:
    rows: int = 0
    nano_usd: int = 0

    def add(self, refused: Refused) -> None:
        self.rows += 1
        self.nano_usd += getattr(refused, "cost_nano_usd", None) or 0


def run_job(
    job: Job, progress: Progress = lambda _: None, on_refused: Callable[[Refused], None] = lambda _: None,
    history: History | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Do it, and return the report. Raises InputError for inputs that cannot be read, and OSError.

    ``progress`` is told how many rows the main pass has seen; ``on_refused`` every row that could not be read.
    ``history``: what the job's source names, where it is there already.
    """
    refusals = _Refusals()

    def refuse(refused: Refused) -> None:
        refusals.add(refused)
        on_refused(refused)

    history = _history(job, history, refuse)
    run = _main_pass(job, history, progress)
    about = About(
        job.command, history.about, _options(job), refusals.rows, refusals.nano_usd if refusals.rows else None,
        job.reviewers, _extras(job, history, run),
    )  # fmt: skip
    return report_of(run, about)


def _history(job: Job, history: History | None, refuse: Callable[[Refused], None]) -> History:
    history = history or history_of(job.source, job.selection, refuse)
    return history if job.prices is None else Repriced(history, *job.prices)


def history_of(source: Source, selection: Selection, on_refused: Callable[[Refused], None]) -> History:
    """The history that a source names. Raises InputError."""
    if source.ledger is not None:
        ledger = Ledger.open(source.ledger, dict(source.storage_options), source.version)
        return LedgerHistory(ledger, source.ledger, selection)
    if source.events is None:
        raise InputError("expected --ledger or --events")
    return FileHistory(source.events, source.read, selection, on_refused)


def _main_pass(job: Job, history: History, progress: Progress) -> Run:
    if job.spark_master is not None:
        return _on_spark(job, job.spark_master, history)
    if job.decisions is None:
        return simulate(job.policies, history, job.options, progress=progress)
    options = Options(job.options.refuse_reviews, job.options.as_recorded, exact=True)
    with DecisionRows(job.decisions, job.policies) as rows:
        return simulate(job.policies, history, options, listener=rows, progress=progress, also=COLUMNS)


def _on_spark(job: Job, master: str, history: History) -> Run:
    """The main pass, tenant by tenant on Spark's executors. Raises InputError for what only one machine can do."""
    if not isinstance(history, LedgerHistory) or job.decisions is not None:
        raise InputError("engine: expected --ledger, and neither --decisions nor --prices-at, with --engine spark")
    from spendgate.simulate.spark import simulate_on_spark  # a dependency of its own

    where = job.source
    return simulate_on_spark(job.policies, history, job.options, where.storage_options, master)


def _extras(job: Job, history: History, run: Run) -> dict[str, Any]:
    extras: dict[str, Any] = {name: find(history, run) for name, find in job.sections.items()}
    if isinstance(history, Repriced):
        extras["prices"] = history.section()
    if job.against:
        extras["compare"] = compare(job.policies, job.against, history, job.options)
    if job.with_lint:
        extras["lint"] = lint(run, history, job.options)
    if job.with_timeline:
        extras["timeline"] = timeline(run, history)
    return extras


def _options(job: Job) -> dict[str, Any]:
    selection = job.selection
    return {
        "from": None if selection.from_ is None else selection.from_.isoformat(),
        "to": None if selection.to is None else selection.to.isoformat(),
        "where": dict(selection.where),
        "reviews": "refused" if job.options.refuse_reviews else "approved",
        "as_recorded": job.options.as_recorded,
    }


def parse_where(pairs: Sequence[str]) -> dict[str, str | None]:
    """``team=marketing`` as field to value; ``team=(none)`` asks for the unknown. Raises InputError."""
    where: dict[str, str | None] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or name not in SELECTABLE or not value:
            raise InputError(f"where: expected FIELD=VALUE with a field of {', '.join(SELECTABLE)}")
        where[name] = None if value == "(none)" else value
    return where


SELECTABLE = ("tenant", "source", *SCOPE_FIELDS, "feature", "api_key_id", "status")
