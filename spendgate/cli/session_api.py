"""``spendgate session``: who is signed in with a browser, and the end of it."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.api_client import api
from spendgate.cli.say import USAGE, told_without_kafka
from spendgate.failure import Failure

app = typer.Typer(no_args_is_help=True, help="Sessions of the tenant's people: list, end.")

Person = Annotated[str | None, typer.Option(help="Of this person alone.")]


@app.command("list")
def list_sessions(
    person: Person = None, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """The sessions that are not over."""
    with api() as opened:
        found = opened.ask("GET", "/v1/sessions", params={} if person is None else {"person": person})
        if as_json:
            typer.echo(json.dumps(found))
            return
        table = Table("id", "person", "role", "by", "created", "used", "over", box=None, header_style="bold")
        for each in found:
            by = f"key {each['key_id']}" if each["key_id"] else "provider"
            times = (each[name] or "" for name in ("created_at", "seen_at", "over_at"))
            table.add_row(each["id"], each["person"], each["role"] or "(elsewhere)", by, *times)
        Console().print(table)


@app.command()
def revoke(
    id_: Annotated[str | None, typer.Argument(metavar="ID", help="The session's id; or --person.")] = None,
    person: Annotated[str | None, typer.Option(help="All sessions of this person.")] = None,
    why: Annotated[str | None, typer.Option(help="For the audit trail.")] = None,
) -> None:
    """End a session at once, or all of a person. Keys are ended by `spendgate key revoke`."""
    if (id_ is None) == (person is None):
        with told_without_kafka():
            raise Failure("expected a session's ID, or --person", USAGE)
    said = {} if why is None else {"why": why}
    with api() as opened:
        if person is not None:
            count = opened.ask("DELETE", "/v1/sessions", params={"person": person, **said})["revoked"]
            typer.echo(f"revoked: {count} of {person}")
            return
        opened.ask("DELETE", f"/v1/sessions/{id_}", params=said)
        typer.echo(f"revoked: {id_}")
