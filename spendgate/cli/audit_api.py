"""The audit trail over the management API: its rows, and whether it is whole."""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli.api_client import Api, api
from spendgate.cli.say import FOUND
from spendgate.cli.wide import wide_console
from spendgate.failure import Failure

_PAGE, _ALL = 1000, 2**31


def list_rows(
    after: Annotated[int, typer.Option(min=0, help="Rows after this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    last: Annotated[int | None, typer.Option(min=1, help="The last so many, instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one row a line.")] = False,
) -> None:
    """The tenant's trail, in order: who did what, before, after, why. Takes an operator's key."""
    with api() as opened:
        found = _rows(opened, after, limit) if last is None else _rows(opened, after, _ALL)[-last:]
        if as_json:
            typer.echo("\n".join(map(json.dumps, found)))
            return
        table = Table("row", "at", "who", "action", "subject", "after", "why", box=None)
        for each in found:
            cells = (each[name] or "" for name in ("who", "action", "subject", "after", "why"))
            table.add_row(str(each["number"]), each["at"][:19], *map(escape, cells))
        wide_console().print(table)


def _rows(opened: Api, after: int, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        size = min(_PAGE, limit - len(found))
        page = opened.ask("GET", "/v1/audit", params={"after": found[-1]["number"] if found else after, "limit": size})
        found += page
        if len(page) < size:
            break
    return found


def verify(*, as_json: bool) -> None:
    """Have the door look for rows of the tenant's trail that were changed, removed or put elsewhere."""
    with api() as opened:
        found = opened.ask("GET", "/v1/audit/verify")
        if as_json:
            typer.echo(json.dumps(found))
        else:
            typer.echo("\n".join(found["findings"]) or f"whole; keep elsewhere: {found['head']}")
        if not found["whole"]:
            raise Failure("the trail is not whole", FOUND)
