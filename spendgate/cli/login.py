"""``spendgate login`` and ``spendgate key``: who one is for the management API, and keys for others."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.api_client import api, opened_api, save_credentials
from spendgate.cli.say import USAGE, asked_for, notice, told_without_kafka
from spendgate.failure import Failure

app = typer.Typer(no_args_is_help=True, help="Keys of the management API: make, rotate, revoke, list.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Days = Annotated[int | None, typer.Option("--days", min=1, help="It expires after so many days. [default: never]")]


def login(
    url: Annotated[str, typer.Argument(help="Where the door is, such as http://127.0.0.1:8080.")],
    browser: Annotated[bool, typer.Option("--browser", help="Sign in with a browser on this machine.")] = False,
    paste: Annotated[
        bool, typer.Option("--paste", help="Sign in with a browser elsewhere, and bring its code here.")
    ] = False,
    tenant: Annotated[str, typer.Option(help="With a browser: whose tenant, of several.")] = "",
    role: Annotated[str, typer.Option(help="With a browser: as what, of several.")] = "",
) -> None:
    """Keep an address and a key for the commands of the API. The key is asked for, or read from standard input; or it
    is a short-lived one, for which a person signs in with a browser."""
    from spendgate.cli.login_browser import Wanted, key_by_browser

    with told_without_kafka():
        key = key_by_browser(url, Wanted(tenant, role, paste)) if browser or paste else asked_for("key")
        opened = opened_api(url, key)
        try:
            me = opened.ask("GET", "/v1/me")
        finally:
            opened.close()
        path = save_credentials(url, key)
        typer.echo(f"{me['person']}, {me['role']} of {me['tenant']}; kept in {path}")


@app.command()
def create(
    person: Annotated[str, typer.Argument(help="Whom it belongs to.")],
    role: Annotated[str, typer.Argument(help="viewer, editor, approver, operator, ingest or content.")],
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is printed this once."""
    with api() as opened:
        _show(opened.ask("POST", "/v1/keys", json={"person": person, "role": role, **_expiry(days)}), as_json)


@app.command()
def rotate(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `spendgate key list` has it.")],
    overlap_s: Annotated[int, typer.Option(min=0, help="Seconds for which the old key goes on.")] = 3600,
    days: Days = None,
    as_json: Json = False,
) -> None:
    """Make a key in place of another one. It is printed this once."""
    with api() as opened:
        wanted = {"overlap_s": overlap_s, **_expiry(days)}
        _show(opened.ask("POST", f"/v1/keys/{id_}/rotate", json=wanted), as_json)


@app.command()
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The key's id.")],
    why: Annotated[str | None, typer.Option(help="For the audit trail.")] = None,
) -> None:
    """End a key at once."""
    with api() as opened:
        opened.ask("DELETE", f"/v1/keys/{id_}", params={} if why is None else {"why": why})
        typer.echo(f"revoked: {id_}")


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """All keys of the tenant, without what proves them."""
    with api() as opened:
        found = opened.ask("GET", "/v1/keys")
        if as_json:
            typer.echo(json.dumps(found))
            return
        table = Table("id", "person", "role", "created", "expires", "revoked", box=None, header_style="bold")
        for each in found:
            times = (each[name] or "" for name in ("created_at", "expires_at", "revoked_at"))
            table.add_row(each["id"], each["person"], each["role"], *times)
        Console().print(table)


def _expiry(days: int | None) -> dict[str, str]:
    if days is None:
        return {}
    try:
        return {"expires_at": (datetime.now(UTC) + timedelta(days=days)).isoformat()}
    except OverflowError:
        raise Failure("--days: expected fewer days", USAGE) from None


def _show(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(made))
        return
    notice("this key is shown once, and stored as a hash:")
    typer.echo(made["key"])
