"""``spendgate simulate``: what policies would have done to recorded events; no server at all."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from spendgate.cli.history_options import Reviews, source_of
from spendgate.cli.policies import policies_of
from spendgate.cli.rows_progress import progress, total_rows
from spendgate.cli.say import FOUND, USAGE, notice, told_without_kafka
from spendgate.failure import NEEDED, Failure

if TYPE_CHECKING:
    from spendgate.ledger.reader_problem import Refused
    from spendgate.simulate.job import Job


class Engine(StrEnum):
    """What judges a ledger."""

    local = "local"
    spark = "spark"


_Policies = Annotated[list[Path] | None, typer.Option("--policy", exists=True, dir_okay=False, help="A policy file.")]
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
_From = Annotated[
    datetime | None,
    typer.Option("--from", formats=_FORMATS, metavar="INSTANT", help="Only calls from this instant on (UTC)."),
]
_To = Annotated[
    datetime | None, typer.Option(formats=_FORMATS, metavar="INSTANT", help="Only calls before this instant (UTC).")
]
_UNSAID = ("html", "as_json", "again", "quarantine", "engine", "spark_master")
"""Options that change where a report goes, and nothing in it."""


def simulate(
    context: typer.Context,
    policy: _Policies = None,
    ledger: Annotated[str | None, typer.Option(metavar="PATH", help="The ledger: a folder or a URL.")] = None,
    events: Annotated[
        Path | None, typer.Option(exists=True, help="A file or a folder instead: whatever `spendgate send` reads.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose a file's events are, whatever the rows say.")] = None,
    columns: Annotated[str, typer.Option("--map", help="cost_usd=Cost,team=Team for a CSV file.")] = "",
    file_format: Annotated[str, typer.Option("--format", help="The file's format; found out by itself.")] = "auto",
    strict: Annotated[bool, typer.Option("--strict", help="A row that cannot be read is an error.")] = False,
    quarantine: Annotated[Path | None, typer.Option(help="Where bad rows are noted (default: beside it).")] = None,
    ledger_version: Annotated[int | None, typer.Option(help="The ledger as it was at this version.")] = None,
    storage_option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="For object storage.")] = None,
    from_: _From = None,
    to: _To = None,
    where: Annotated[list[str] | None, typer.Option(metavar="FIELD=VALUE", help="Only calls of this team, ...")] = None,
    reviews: Annotated[Reviews, typer.Option(help="What becomes of a would-be review.")] = Reviews.approved,
    as_recorded: Annotated[bool, typer.Option("--as-recorded", help="Without later corrections and outcomes.")] = False,
    reviewers: Annotated[int | None, typer.Option(min=1, help="How many people do the reviews.")] = None,
    review_minutes: Annotated[int, typer.Option(min=1, help="How long one takes.")] = 10,
    prices_at: Annotated[
        str | None, typer.Option(metavar="DATE|today|FILE", help="At the prices of a day, or of a price table.")
    ] = None,
    book: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Your own price table.")] = None,
    sweep: Annotated[str | None, typer.Option(metavar="cap=FROM:TO:STEP", help="Many caps in one pass.")] = None,
    suggest: Annotated[str | None, typer.Option(metavar="RULE", help="The smallest cap that costs little.")] = None,
    percent: Annotated[str, typer.Option(help="How much --suggest may deny in any full window.")] = "1",
    of: Annotated[str, typer.Option(help="Of what: accepted (outcomes) or dollars.")] = "accepted",
    against: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="Compare with this policy file.")
    ] = None,
    lint: Annotated[bool, typer.Option("--lint", help="Say which rules the calls never needed.")] = False,
    decisions: Annotated[
        Path | None, typer.Option(help="Write one row per call and policy to this Parquet file.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page that works offline.")] = None,
    again: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Does this JSON report still hold?")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where a ledger is judged: here, or by Spark, tenant by tenant.")] = (
        Engine.local
    ),
    spark_master: Annotated[
        str, typer.Option(metavar="URL", help="Spark's master, unless spark-submit says it.")
    ] = "local[*]",
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Run policies over recorded events with the engine of the live path, and report what they would have done."""
    with told_without_kafka():
        if again is not None:
            _again(again)
            return
        report = _report(dict(context.params), _command(context))
        if html is not None:
            from spendgate.simulate.html_report import write_html

            write_html(report, html)
        _print(report, as_json=as_json)
        if html is not None:
            notice(f"the page is {html}")


def _command(context: typer.Context) -> list[str]:
    """The command that gives the same report: every option that is not as it would be anyway."""
    command = ["spendgate", "simulate"]
    for option in context.command.params:
        value = context.params[option.name or ""]
        if option.name in _UNSAID or value is None or value == option.get_default(context) or value == ():
            continue
        if value is True:
            command.append(option.opts[0])
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            command += [option.opts[0], _said(option.name, each)]
    return command


def _said(name: str | None, value: Any) -> str:
    if name == "prices_at" and value == "today":
        return datetime.now(UTC).date().isoformat()
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    from spendgate.simulate.report import encode

    if as_json:
        typer.echo(encode(report))
        return
    from spendgate.cli.report_terminal import print_report

    print_report(Console(), report)


def _report(given: dict[str, Any], command: Sequence[str]) -> dict[str, Any]:
    from spendgate.simulate.job import run_job

    job = _job(given, command)
    with progress(lambda: total_rows(given)) as told, _Refusals(given) as refused, _spark_told():
        report = run_job(job, told, refused.add)
    refused.tell(report["source"].get("dropped"))
    return report


@contextmanager
def _spark_told() -> Iterator[None]:
    from spendgate.simulate.spark import SparkMissing

    try:
        yield
    except SparkMissing as error:
        raise Failure(str(error), NEEDED) from None


class _Refusals(ExitStack):
    """Rows that could not be read: the first few are named, and all are set aside in a file."""

    def __init__(self, given: dict[str, Any]) -> None:
        from spendgate.ledger.reader_quarantine import Quarantine

        super().__init__()
        self._strict = given["strict"]
        self._lines: list[str] = []
        aside = given["quarantine"] or Path(f"{given['events']}.spendgate-quarantine.jsonl")
        self._quarantine = self.enter_context(Quarantine(aside))

    def add(self, refused: "Refused") -> None:
        """Set one aside; raises Failure if none is allowed."""
        if self._strict:
            raise Failure(str(refused), USAGE)
        self._quarantine.put(refused)
        if self._quarantine.count <= 3:
            self._lines.append(str(refused))

    def tell(self, dropped: str | None) -> None:
        """Say how many there were, and which fields of content were not read."""
        if self._quarantine.count:
            notice("\n".join(self._lines))
            notice(f"{self._quarantine.count:,} rows could not be read and are left out: {self._quarantine.path}")
        if dropped:
            notice(f"not read, for it is content: {dropped.replace(',', ', ')}")


def _job(given: dict[str, Any], command: Sequence[str]) -> "Job":
    from spendgate.simulate.job import Job, parse_where
    from spendgate.simulate.review_queue import Reviewers
    from spendgate.simulate.run import Options
    from spendgate.simulate.selection import Selection

    if not given["policy"]:
        raise Failure("policy: expected at least one --policy FILE", USAGE)
    policies = policies_of(given["policy"])
    people = given["reviewers"]
    return Job(
        command=command,
        policies=policies,
        source=source_of(given),
        selection=Selection(_utc(given["from_"]), _utc(given["to"]), parse_where(given["where"] or [])),
        options=Options(given["reviews"] == Reviews.refused, given["as_recorded"]),
        reviewers=None if people is None else Reviewers(people, given["review_minutes"]),
        against=policies_of(given["against"]) if given["against"] else (),
        prices=_prices(given["prices_at"], given["book"]),
        decisions=given["decisions"],
        with_lint=given["lint"],
        with_timeline=given["html"] is not None,
        sections=_sections(given, policies),
        spark_master=given["spark_master"] if given["engine"] == Engine.spark else None,
    )


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _prices(text: str | None, own: Path | None) -> Any:
    if text is None and own is None:
        return None
    from spendgate.cli.prices import prices_at
    from spendgate.prices.loading import load_book

    return (load_book(own), None) if text is None else prices_at(text, datetime.now(UTC), own)


def _sections(given: dict[str, Any], policies: Any) -> dict[str, Any]:
    sections: dict[str, Any] = {}
    if given["sweep"] is not None:
        from spendgate.simulate.sweep import sweep_section

        sections["sweep"] = sweep_section(given["sweep"], policies)
    if given["suggest"] is not None:
        from spendgate.simulate.suggest import suggest_section

        sections["suggest"] = suggest_section(given["suggest"], given["percent"], given["of"], policies)
    return sections


def _again(path: Path) -> None:
    """Run a report's command once more, and compare."""
    from spendgate.simulate.again import differences, read_report

    report = read_report(path)
    given = _parsed(report["command"][2:])
    found = differences(report, _report(given, report["command"]))
    if found:
        notice("the report no longer holds: " + "; ".join(found))
        raise typer.Exit(FOUND)
    typer.echo("the report still holds, to the byte")


def _parsed(arguments: Sequence[str]) -> dict[str, Any]:
    alone = typer.Typer()
    alone.command()(simulate)
    return dict(typer.main.get_command(alone).make_context("simulate", list(arguments)).params)
