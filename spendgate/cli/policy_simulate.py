"""``spendgate policy simulate``: a simulation where the policies are managed, over the tenant's ledger there."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from spendgate.cli.api_client import Api, api
from spendgate.cli.rows_progress import words
from spendgate.cli.say import FOUND, INTERRUPTED, USAGE, notice
from spendgate.failure import NEEDED, REFUSED, Failure

ENDED = ("done", "failed", "cancelled")
AWAY_S, AGAIN_S = 60.0, 0.5
_WIDTH = 60
_OPTIONS = (
    "from", "to", "reviews", "as_recorded", "prices_at", "against", "sweep", "suggest", "percent", "of", "lint",
    "timeline", "ledger_version",
)  # fmt: skip
"""Options that go to the door as they are; the others need a word."""


def simulate(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The policy's name.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Its hash, or the first digits. [default: the latest]")
    ] = None,
    draft: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file instead, which is not stored for it.")
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="INSTANT", help="Only calls from then on.")] = None,
    to: Annotated[str | None, typer.Option(metavar="INSTANT", help="Only calls before then.")] = None,
    where: Annotated[list[str] | None, typer.Option(metavar="FIELD=VALUE", help="Only calls of this team, ...")] = None,
    reviews: Annotated[str | None, typer.Option(help="What becomes of a would-be review: approved, refused.")] = None,
    as_recorded: Annotated[bool, typer.Option("--as-recorded", help="Without later corrections and outcomes.")] = False,
    reviewers: Annotated[int | None, typer.Option(min=1, help="How many people do the reviews.")] = None,
    review_minutes: Annotated[int, typer.Option(min=1, help="How long one takes.")] = 10,
    prices_at: Annotated[str | None, typer.Option(metavar="INSTANT", help="At the prices of then.")] = None,
    against: Annotated[str | None, typer.Option(metavar="HASH", help="Compare with this version.")] = None,
    sweep: Annotated[str | None, typer.Option(metavar="cap=FROM:TO:STEP", help="Many caps in one pass.")] = None,
    suggest: Annotated[str | None, typer.Option(metavar="RULE", help="The smallest cap that costs little.")] = None,
    percent: Annotated[str | None, typer.Option(help="How much --suggest may deny in any full window.")] = None,
    of: Annotated[str | None, typer.Option(help="Of what: accepted (outcomes) or dollars.")] = None,
    lint: Annotated[bool, typer.Option("--lint", help="Say which rules the calls never needed.")] = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="With what a page draws over time.")] = False,
    ledger_version: Annotated[int | None, typer.Option(min=0, help="The ledger as it was at this version.")] = None,
    with_report: Annotated[bool, typer.Option("--report", help="Print what the policy would have done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Simulate a version over the tenant's ledger. Without options, over all of it, it is recorded, as staging asks
    for; then exit 1 without a full window. Ctrl-C cancels it."""
    if (name is None) == (draft is None):
        raise typer.BadParameter("expected a policy's NAME, or --draft FILE")
    options = _options(dict(context.params))
    with api() as opened:
        job = _start(opened, name, version, draft, options)
        job = _ended(opened, job)
        if as_json:
            typer.echo(opened.text(f"/v1/simulations/{job['id']}/report"))
        else:
            _print(opened, job, with_report=with_report)
        if job["stored"] and not options and not job["full_windows"]:
            raise Failure("expected at least one full window of history; staging asks for a waiver", FOUND)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """What was said, as the door takes it. Raises Failure."""
    given = {**given, "from": given["from_"]}
    found = {each: given[each] for each in _OPTIONS if given[each] not in (None, False)}
    pairs = [pair.partition("=") for pair in given["where"] or ()]
    if not all(name and value for name, _, value in pairs):
        raise typer.BadParameter("expected --where FIELD=VALUE, such as team=marketing")
    if pairs:
        found["where"] = {name: None if value == "(none)" else value for name, _, value in pairs}
    if given["reviewers"] is not None:
        found["reviewers"] = {"count": given["reviewers"], "minutes": given["review_minutes"]}
    for each in {"from", "to", "prices_at"} & found.keys():
        found[each] = _instant(found[each], each)
    return found


def _instant(text: str, option: str) -> str:
    from spendgate.cli.prices import instant_of

    try:
        return instant_of(text, f"--{option.replace('_', '-')}").isoformat()
    except Failure as failure:
        raise typer.BadParameter(str(failure)) from None


def _start(
    opened: Api, name: str | None, version: str | None, draft: Path | None, options: dict[str, Any]
) -> dict[str, Any]:
    if draft is not None:
        try:
            text = draft.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise Failure(f"{draft}: expected UTF-8", USAGE) from None
        return dict(opened.ask("POST", "/v1/simulations", json={"policy": text, "options": options}))
    at = f"/v1/policies/{quote(name or '', safe='')}"
    hash_ = version or opened.ask("GET", at)["latest"]["hash"]
    return dict(opened.ask("POST", f"{at}/versions/{quote(hash_, safe='')}/simulations", json=options))


def _ended(opened: Api, job: dict[str, Any]) -> dict[str, Any]:
    """Wait for the end. Raises Failure where it is not done."""
    try:
        notice(f"the simulation is {job['id']}")
        job = _watched(opened, job)
    except KeyboardInterrupt:
        _interrupted(opened, job)
    if job["state"] != "done":
        words = {"failed": job["problem"], "cancelled": f"it was cancelled by {job['ended_by']}"}[job["state"]]
        raise Failure(f"{job['policy']} {job['hash'][:12]}: {words}", REFUSED)
    return job


def _watched(opened: Api, job: dict[str, Any]) -> dict[str, Any]:
    """Follow it, also where the door is started anew meanwhile."""
    begun = heard = time.monotonic()
    bar = _Bar(Console(stderr=True))
    while job["state"] not in ENDED:
        for _, told in opened.events(f"/v1/simulations/{job['id']}/events"):
            job, heard = told, time.monotonic()
            bar.show(job, heard - begun)
        if job["state"] not in ENDED:
            if time.monotonic() - heard > AWAY_S:
                raise Failure(f"the door does not answer; the simulation is {job['id']}, and goes on there", NEEDED)
            time.sleep(AGAIN_S)
    bar.close()
    return job


class _Bar:
    """How far it is, on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_shown = False

    def show(self, job: dict[str, Any], seconds: float) -> None:
        if not self._console.is_terminal or job["state"] in ENDED:
            return
        self._is_shown = True
        text = "waits for its turn" if job["state"] == "queued" else words(job["rows_done"], seconds, job["rows_total"])
        self._console.file.write(f"\r{text:<{_WIDTH}}")
        self._console.file.flush()

    def close(self) -> None:
        if self._is_shown:
            self._console.print()


def _interrupted(opened: Api, job: dict[str, Any]) -> None:
    """Cancel it, or leave it there where its user says so. Raises Failure."""
    is_left = False
    if sys.stdin.isatty():
        try:
            is_left = not typer.confirm("\ncancel the simulation?", default=True, err=True)
        except (typer.Abort, KeyboardInterrupt):
            notice("")
    if is_left:
        raise Failure(f"the simulation goes on: {job['id']}", INTERRUPTED)
    opened.ask("POST", f"/v1/simulations/{job['id']}/cancel")
    raise Failure(f"cancelled: {job['id']}", INTERRUPTED)


def _print(opened: Api, job: dict[str, Any], *, with_report: bool) -> None:
    span = f"{job['from']} to {job['to']}" if job["from"] else "a history without calls"
    typer.echo(f"{job['policy']} {job['hash'][:12]}: {job['full_windows']} full windows, {span}")
    if with_report:
        from spendgate.cli.report_terminal import print_report

        print_report(Console(), opened.ask("GET", f"/v1/simulations/{job['id']}/report"))
