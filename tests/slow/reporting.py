"""Both reports side by side, and what the tests read out of them."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from hypothesis import strategies as st

from spendgate.model.decision import VERDICTS, Verdict
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.run import Options
from spendgate.simulate.selection import EVERYTHING, Selection
from tests.oracle.documents import Record, to_instant
from tests.slow.drawn_ledgers import Drawn
from tests.slow.evaluator import NANO, Book, Said, evaluate

OPTIONS = st.builds(Options, refuse_reviews=st.booleans(), as_recorded=st.booleans())
Verdicts = dict[str, tuple[int, Decimal]]
Write = Callable[[Drawn, Path], tuple[Drawn, Source]]
as_file: Write = Drawn.as_file
as_ledger: Write = Drawn.as_ledger


class Both(NamedTuple):
    """The count by hand, and the report, with its rows if they were asked for. ``refused``: verdicts that keep a call
    from being made."""

    policies: list[Policy]
    records: list[Record]
    book: Book
    report: dict[str, Any]
    rows: list[dict[str, Any]]
    refused: set[Verdict]


def both(
    drawn: Drawn,
    options: Options,
    write: Write = as_file,
    *,
    rows: bool = False,
    selection: Selection = EVERYTHING,
) -> Both:
    """Write the ledger, simulate over what is chosen of it, and count that."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        log, source = write(drawn, folder)
        decisions = folder / "rows.parquet" if rows else None
        report = run_job(Job(["spendgate"], log.policies, source, selection, options, decisions=decisions))
        found = [] if decisions is None else [_in_utc(row) for row in pq.read_table(decisions).to_pylist()]
    book = evaluate(
        log.policies,
        log.records,
        refuse_reviews=options.refuse_reviews,
        as_recorded=options.as_recorded,
        is_chosen=lambda event: _is_chosen(event, selection),
    )
    refused: set[Verdict] = {"deny", "review"} if options.refuse_reviews else {"deny"}
    return Both(log.policies, log.records, book, report, found, refused)


def _is_chosen(event: Event, selection: Selection) -> bool:
    """A call of the half-open interval that has every value; an annotation whatever it says."""
    return event.kind != "call" or (
        (selection.from_ is None or event.time >= selection.from_)
        and (selection.to is None or event.time < selection.to)
        and all(getattr(event, name) == value for name, value in selection.where.items())
    )


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """Arrow's own zone is another object."""
    return {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}


def counted(said: Sequence[Said]) -> tuple[int, Decimal]:
    """Calls and dollars."""
    return len(said), sum((each.cost for each in said), Decimal(0))


def pair(found: dict[str, Any]) -> tuple[int, Decimal]:
    """Calls and dollars, as a report has them."""
    return found["calls"], Decimal(found["cost_nano_usd"]) / NANO


def read(found: dict[str, Any]) -> Verdicts:
    """Calls and dollars by verdict, as a report has them."""
    return {verdict: pair(found[verdict]) for verdict in VERDICTS}


def said_at(ms: int | None) -> str | None:
    """An instant, as a report has it."""
    return None if ms is None else to_instant(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
