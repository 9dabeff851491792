"""``spendgate gate``, ``criteria`` and ``waiver``: whether a policy may be enforced, over the management API."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli.api_client import Api, api
from spendgate.cli.say import FOUND, USAGE
from spendgate.cli.wide import wide_console
from spendgate.failure import Failure

criteria_app = typer.Typer(no_args_is_help=True, help="What the gate asks for, within its limits.")
waiver_app = typer.Typer(no_args_is_help=True, help="Criteria that do not count for a staging, and why.")

Policy = Annotated[str, typer.Argument(metavar="POLICY", help="The policy's name.")]
Staging = Annotated[str | None, typer.Option("--staging", help="Of this one. [default: the latest that is live]")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option(help="For the audit trail.")]
LIVE = ("shadow", "reconciled", "enforced")
_STYLES = {"ready": "green", "observing": "yellow", "blocked": "red", "pass": "green", "fail": "red"}


def gate(
    name: Policy,
    staging: Staging = None,
    history: Annotated[int, typer.Option(min=0, help="So many of the last reconciliations, too.")] = 0,
    as_json: Json = False,
) -> None:
    """Whether a policy may be enforced: every criterion, what is missing, when it could be ready at the earliest.

    Exit code 0: ready; 1: not.
    """
    with api() as opened:
        id_ = staging_of(opened, name, staging)
        found = opened.ask("GET", f"{at(id_)}/gate")
        if history:
            wanted = {"staging": id_, "limit": history}
            found["history"] = opened.ask("GET", "/v1/reconciliations", params=wanted)["reconciliations"]
        typer.echo(json.dumps(found)) if as_json else _show(found)
    if found["state"] != "ready":
        raise typer.Exit(FOUND)


def staging_of(opened: Api, name: str, staging: str | None, states: tuple[str, ...] = LIVE) -> str:
    """The id of a policy's latest staging in one of these states, or the one that is named. Raises Failure."""
    if staging is not None:
        return staging
    found = [each for each in opened.ask("GET", "/v1/stagings", params={"policy": name}) if each["state"] in states]
    if not found:
        raise Failure(f"policy {name}: expected one with a staging that is {' or '.join(states)}", USAGE)
    return str(found[-1]["id"])


def at(staging: str) -> str:
    """The address of a staging."""
    return f"/v1/stagings/{quote(staging, safe='')}"


def _show(found: dict[str, Any]) -> None:
    console = wide_console()
    state, missing = found["state"], found["missing"]
    console.print(f"[bold]{escape(found['policy'])}[/bold] {found['staging']}  [{_STYLES[state]}]{state}[/]")
    console.print(_criteria(found["criteria"]))
    if missing:
        console.print(f"\nmissing{_earliest(found['ready_at_earliest'])}:")
        console.print("\n".join(f"  {escape(each)}" for each in missing))
    if found.get("history"):
        console.print(_history(found["history"]))


def _earliest(text: str) -> str:
    """Nothing where it is not a matter of time."""
    from datetime import UTC, datetime, timedelta

    is_ahead = datetime.fromisoformat(text) > datetime.now(UTC) + timedelta(minutes=1)
    return f", and not ready before {text[:19].replace('T', ' ')}Z" if is_ahead else ""


def _criteria(criteria: list[dict[str, Any]]) -> Table:
    table = Table("", "criterion", "measured", "asked for", box=None, pad_edge=False)
    for each in criteria:
        words = each["words"] if each["waiver"] is None else f"{each['words']}; waived: {each['waiver']}"
        style = _STYLES.get(each["outcome"], "yellow")
        table.add_row(f"[{style}]{each['outcome']}[/]", escape(words), *_numbers(each))
    return table


def _numbers(each: dict[str, Any]) -> tuple[str, str]:
    measured, unit = each["measured"], each["unit"]
    if measured is None:
        return "not known", _asked(each)
    return (f"{measured:,} {unit}" if unit else ("yes" if measured else "no")), _asked(each)


def _asked(each: dict[str, Any]) -> str:
    return f"at {each['bound']} {each['threshold']:,}" if each["unit"] else "yes"


def _history(rows: list[dict[str, Any]]) -> Table:
    table = Table("\nrecorded", "\noutcome", "\ngate", "\ncalls", "\ndiffering", "\nobserved", "\nid", box=None)
    for each in rows:
        observed = f"{(each['from'] or '-')[:16]} to {(each['to'] or '-')[:16]}"
        demand = ", on demand" if each["on_demand"] else ""
        table.add_row(
            each["recorded_at"][:19], each["outcome"] + demand, each["gate"], f"{each['replayed']:,}",
            f"{each['differing']:,}", observed, each["id"],
        )  # fmt: skip
    return table


@criteria_app.command("show")
def show_criteria(as_json: Json = False) -> None:
    """The tenant's criteria."""
    with api() as opened:
        found = opened.ask("GET", "/v1/gate/criteria")
        typer.echo(json.dumps(found) if as_json else _rules(found))


@criteria_app.command("set")
def set_criteria(
    changes: Annotated[list[str], typer.Argument(metavar="NAME=NUMBER...", help="As `show` names them.")],
    why: Why,
) -> None:
    """Change criteria. Gates are shut until shadow was measured against them; what is enforced goes on."""
    with api() as opened:
        path = "/v1/gate/criteria"
        rules = {**opened.ask("GET", path)["rules"], **dict(map(_change, changes))}
        typer.echo(_rules(opened.tagged("PUT", path, path, json={"rules": rules, "why": why})))


def _change(text: str) -> tuple[str, int]:
    name, sign, number = text.partition("=")
    if not (sign and number.isascii() and number.isdecimal() and len(number) < 19):
        raise Failure("expected NAME=NUMBER, such as events=5000", USAGE)
    return name, int(number)


def _rules(found: dict[str, Any]) -> str:
    by = f"changed by {found['changed_by']}, {found['changed_at'][:19]}Z" if found["revision"] else "the defaults"
    return "\n".join([*(f"{name}={value}" for name, value in found["rules"].items()), by])


@waiver_app.command("list")
def list_waivers(name: Policy, staging: Staging = None, as_json: Json = False) -> None:
    """A staging's waivers, also those that have ended."""
    with api() as opened:
        found = opened.ask("GET", f"{at(staging_of(opened, name, staging))}/waivers")
        if as_json:
            typer.echo(json.dumps(found))
        else:
            typer.echo("\n".join(map(_waiver, found)) or "there is none")


@waiver_app.command("give")
def give_waiver(
    name: Policy,
    criterion: Annotated[str, typer.Argument(help="bill, or answers.")],
    why: Why,
    staging: Staging = None,
) -> None:
    """Have a criterion not count for a staging."""
    with api() as opened:
        path = f"{at(staging_of(opened, name, staging))}/waivers"
        typer.echo(_waiver(opened.ask("POST", path, json={"criterion": criterion, "why": why})))


@waiver_app.command("end")
def end_waiver(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The waiver's id.")],
    why: Annotated[str | None, typer.Option(help="For the audit trail.")] = None,
) -> None:
    """Take a waiver back."""
    with api() as opened:
        wanted = {} if why is None else {"why": why}
        typer.echo(_waiver(opened.ask("DELETE", f"/v1/waivers/{quote(id_, safe='')}", params=wanted)))


def _waiver(each: dict[str, Any]) -> str:
    ended = f", taken back by {each['ended_by']} {each['ended_at'][:19]}Z" if each["ended_by"] else ""
    return f"{each['id']}: {each['criterion']}, by {each['made_by']} {each['made_at'][:19]}Z{ended}: {each['why']}"
