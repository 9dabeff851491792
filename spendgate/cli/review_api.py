"""``spendgate review list | claim | release | approve | refuse``: the review queue, over the management API."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli.api_client import Api, api
from spendgate.cli.api_pages import ALL, SHOWN, pages, whole_id
from spendgate.cli.wide import wide_console
from spendgate.model.words import money

app = typer.Typer(no_args_is_help=True, help="The review queue: calls that a policy would have had looked at.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The review's id, or its first characters, as `list` has it.")]
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


@app.command("list")
def list_reviews(
    state: Annotated[str, typer.Option(help="open, claimed, approved, refused, expired, or all.")] = "open",
    policy: Annotated[str | None, typer.Option(help="Of this policy alone.")] = None,
    reviewers: Annotated[str | None, typer.Option(help="For these reviewers alone, as a policy names them.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one review a line.")] = False,
) -> None:
    """Who waits, the longest first."""
    wanted = {"state": None if state == "all" else state, "policy": policy, "reviewers": reviewers}
    with api() as opened:
        found = pages(opened, "/v1/reviews", "reviews", wanted, limit)
        if as_json:
            typer.echo("\n".join(map(json.dumps, found)))
        elif found:
            wide_console().print(_table(found))
        else:
            typer.echo("nothing waits" if state == "open" else "there is none")


@app.command()
def claim(id_: Id) -> None:
    """Take a review: for 30 minutes nobody else may answer it."""
    _move(id_, "claim")


@app.command()
def release(id_: Id) -> None:
    """Let go of a claim."""
    _move(id_, "release")


@app.command()
def approve(id_: Id, note: Annotated[str | None, typer.Option(help="For the audit trail.")] = None) -> None:
    """Say that the call is fine. In shadow it informs alone."""
    _move(id_, "approve", {"note": note})


@app.command()
def refuse(id_: Id, note: Annotated[str, typer.Option(help="Why.")]) -> None:
    """Say that the call should not have been made, and why. In shadow it informs alone."""
    _move(id_, "refuse", {"note": note})


def _move(id_: str, action: str, body: dict[str, Any] | None = None) -> None:
    with api() as opened:
        at = f"/v1/reviews/{quote(_whole(opened, id_), safe='')}"
        request = {} if body is None else {"json": body}
        found = opened.tagged("POST", f"{at}/{action}", at, **request)
        typer.echo(f"{found['state']}: {found['id'][:SHOWN]} {found['event_id']}, which {found['policy']} asks about")


def _whole(opened: Api, id_: str) -> str:
    """The id that begins so, of what waits."""
    if len(id_) > SHOWN:
        return id_
    states = ("open", "claimed")
    waiting = [each for state in states for each in pages(opened, "/v1/reviews", "reviews", {"state": state}, ALL)]
    return whole_id(id_, waiting, "review: expected the beginning of one id that waits")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("id", "age", "expires in", "cost", "owner", "reviewers", "state", "why", box=None)
    for column in table.columns[:4]:
        column.no_wrap = True
    for each in found:
        owner = " ".join(f"{name}={value}" for name, value in each["owner"].items())
        cost = "unpriced" if each["cost_nano_usd"] is None else money(each["cost_nano_usd"])
        state = f"{each['state']}{_by(each)}"
        cells = (
            each["id"][:SHOWN], _length(each["age_s"]), _left(each), cost, owner, " ".join(each["reviewers"]), state,
            "; ".join(each["words"]),
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    return table


def _by(review: dict[str, Any]) -> str:
    who = review["decided_by"] or (review["claimed_by"] if review["state"] == "claimed" else None)
    with_check = ", for its check" if review.get("answered_with") else ""
    return f" by {who}{with_check}" if who else ""


def _left(review: dict[str, Any]) -> str:
    """What is left of its time; the door says how old it is, so that no clock of this machine matters."""
    if review["expires_at"] is None or review["state"] not in ("open", "claimed"):
        return ""
    from datetime import datetime

    asked, expires = (datetime.fromisoformat(review[name]) for name in ("asked_at", "expires_at"))
    return _length(max(0, int((expires - asked).total_seconds()) - review["age_s"]))


def _length(seconds: int) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{seconds // size}{unit}"
