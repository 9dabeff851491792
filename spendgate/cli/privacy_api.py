"""``spendgate privacy show | set | keys | gateway | content``: a tenant's privacy, over the management API."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli import privacy_content, privacy_gateway
from spendgate.cli.api_client import api
from spendgate.cli.privacy_file import read_settings
from spendgate.cli.say import USAGE, notice
from spendgate.cli.wide import wide_console
from spendgate.failure import Failure
from spendgate.model.privacy import MODES

app = typer.Typer(no_args_is_help=True, help="What may be kept of a call: modes, secret keys, gateways, content.")
keys_app = typer.Typer(no_args_is_help=True, help="Secret keys of fingerprints and of content, by name.")
app.add_typer(keys_app, name="keys")
app.add_typer(privacy_gateway.app, name="gateway")
app.add_typer(privacy_content.app, name="content")

Why = Annotated[str, typer.Option(help="Why, for the audit trail.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_AT = "/v1/privacy"


@app.command()
def show(as_json: Json = False) -> None:
    """The mode of all calls, those of scopes, and for how long content is kept."""
    with api() as opened:
        _tell(opened.ask("GET", _AT), as_json=as_json)


@app.command("set")
def set_settings(
    why: Why,
    file: Annotated[Path | None, typer.Argument(help="All settings, YAML or JSON.")] = None,
    mode: Annotated[str | None, typer.Option(help=f"Of all calls: {', '.join(MODES)}.")] = None,
    retention_days: Annotated[int | None, typer.Option(min=1, help="For so long content is kept.")] = None,
) -> None:
    """Change the settings: all of them from a file, or one or the other. Takes an operator's key."""
    named = {"mode": mode, "retention_days": retention_days}
    changes = {name: value for name, value in named.items() if value is not None}
    with api() as opened:
        if (file is None) == (not changes):
            raise Failure("expected a file, or --mode or --retention-days", USAGE)
        settings = {**opened.ask("GET", _AT)["settings"], **changes} if file is None else read_settings(file)
        _tell(opened.tagged("PUT", _AT, _AT, json={"settings": settings, "why": why}), as_json=False)


@keys_app.command("list")
def list_keys(as_json: Json = False) -> None:
    """Secret keys by name, the newest first. The secrets themselves leave the store for nobody."""
    with api() as opened:
        found = opened.ask("GET", f"{_AT}/keys")
        if as_json:
            typer.echo(json.dumps(found))
            return
        table = Table("id", "of", "made by", "made", "retired", box=None)
        for each in found:
            times = (each[name] or "" for name in ("created_at", "retired_at"))
            table.add_row(each["id"], each["purpose"], escape(each["created_by"]), *times)
        wide_console().print(table)


@keys_app.command()
def rotate(
    why: Why,
    purpose: Annotated[str, typer.Option("--of", help="fingerprint or content.")] = "fingerprint",
) -> None:
    """Make a key in place of the current one, which still opens, and compares, what was made with it."""
    with api() as opened:
        made = opened.ask("POST", f"{_AT}/keys/rotate", json={"purpose": purpose, "why": why})
        typer.echo(f"current: {made['id']}")


@keys_app.command()
def destroy(id_: Annotated[str, typer.Argument(metavar="ID", help="A retired key of fingerprints.")], why: Why) -> None:
    """End a retired key of fingerprints: nobody can compare with what was made with it any more."""
    with api() as opened:
        opened.ask("POST", f"{_AT}/keys/{id_}/destroy", json={"why": why})
        typer.echo(f"destroyed: {id_}")


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
        return
    settings = found["settings"]
    typer.echo(f"mode: {settings['mode']}")
    for each in settings["scopes"]:
        scope = {name: value for name, value in each["scope"].items() if value is not None}
        typer.echo(f"  {each['mode']} for {json.dumps(scope)}")
    typer.echo(f"content is kept for {settings['retention_days']} days")
    widest = max((settings["mode"], *(each["mode"] for each in settings["scopes"])), key=MODES.index)
    if MODES.index(found["obeys"]) < MODES.index(widest):
        notice(f"this door obeys {found['obeys']} at most: it has no master key that opens, or no content store")
    if widest == "redacted_trace" and not found["finds_names"]:
        notice("this door has no model that finds names: content with free text is not kept")
