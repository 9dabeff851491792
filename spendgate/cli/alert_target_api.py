"""``spendgate alert target list | add | edit | rotate | test | remove``: where alerts go, over the management API."""

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli.api_client import api
from spendgate.cli.say import notice
from spendgate.cli.wide import wide_console
from spendgate.failure import NEEDED, Failure

app = typer.Typer(no_args_is_help=True, help="Where alerts go: webhooks, and channels in Slack's format.")

_AT = "/v1/alerts/targets"
Name = Annotated[str, typer.Argument(metavar="NAME", help="The target's name.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="Its address, which is a secret, too; - reads it from stdin.")]
Policies = Annotated[list[str] | None, typer.Option("--policy", help="A glob of policy names; may be repeated.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--alert", help="threshold, cap, enforcement_demoted, gate_lost (may be repeated), or all."),
]
FromPercent = Annotated[int | None, typer.Option(help="The least threshold that is wanted; a cap always is.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_targets(as_json: Json = False) -> None:
    """All targets."""
    with api() as opened:
        found = opened.ask("GET", _AT)
        if as_json:
            typer.echo("\n".join(map(json.dumps, found)))
        elif found:
            wide_console().print(_table(found))
        else:
            typer.echo("there is none")


@app.command()
def add(
    name: Name, url: Url,
    kind: Annotated[str, typer.Option(help="webhook (signed), or slack.")] = "webhook",
    policies: Policies = None, kinds: Kinds = None, from_percent: FromPercent = None, as_json: Json = False,
) -> None:  # fmt: skip
    """A new target. Without options it gets every alert."""
    wanted = _given(policies=policies, kinds=kinds, from_percent=from_percent)
    with api() as opened:
        made = opened.ask("POST", _AT, json={"name": name, "kind": kind, "url": _read(url), **wanted})
        _show(made, as_json)


@app.command()
def edit(
    name: Name,
    url: Annotated[str | None, typer.Option(help="Another address; - reads it from stdin.")] = None,
    policies: Policies = None, kinds: Kinds = None, from_percent: FromPercent = None,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Whether anything is sent to it.")] = None,
) -> None:  # fmt: skip
    """Change what is given, and leave the rest."""
    wanted = _given(policies=policies, kinds=kinds, from_percent=from_percent, enabled=enabled, url=url and _read(url))
    with api() as opened:
        found = opened.tagged("PATCH", _path(name), _path(name), json=wanted)
        typer.echo(f"{'on' if found['enabled'] else 'off'}: {name}, {found['origin']}")


@app.command()
def rotate(
    name: Name,
    overlap: Annotated[float, typer.Option(min=0, help="Hours for which the old secret signs, too.")] = 24.0,
    as_json: Json = False,
) -> None:
    """A new signing secret for a webhook."""
    with api() as opened:
        body = {"overlap_s": round(overlap * 3600)}
        _show(opened.tagged("POST", f"{_path(name)}/rotate", _path(name), json=body), as_json)


@app.command("test")
def try_out(name: Name, as_json: Json = False) -> None:
    """Send a test now. Exit 3 if the target does not take it."""
    with api() as opened:
        found = opened.ask("POST", f"{_path(name)}/test")
        if as_json:
            typer.echo(json.dumps(found))
        if not found["delivered"]:
            raise Failure(f"{name} has not taken it: {found['problem']}", NEEDED)
        if not as_json:
            typer.echo(f"delivered: {name} answered {found['status']} in {found['took_ms']} ms")


@app.command()
def remove(name: Name) -> None:
    """Forget a target; what waits for it is not sent any more."""
    with api() as opened:
        opened.tagged("DELETE", _path(name), _path(name))
        typer.echo(f"removed: {name}")


def _path(name: str) -> str:
    return f"{_AT}/{quote(name, safe='')}"


def _read(url: str) -> str:
    return sys.stdin.readline().strip() if url == "-" else url


def _given(**fields: Any) -> dict[str, Any]:
    if fields.get("kinds") == ["all"]:
        fields["kinds"] = []
    return {name: value for name, value in fields.items() if value is not None}


def _show(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(made))
        return
    about = made["about"]
    notice(f"{about['kind']} {about['name']}, {about['origin']}")
    if made["secret"] is not None:
        notice("its messages are signed with this secret, which is shown this once:")
        typer.echo(made["secret"])


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("name", "kind", "to", "policies", "alerts", "from", "state", box=None)
    for each in found:
        state = "on" if each["enabled"] else "off"
        if each["failures"]:
            state += f", {each['failures']} attempts not answered"
        cells = (
            each["name"], each["kind"], each["origin"], " ".join(each["policies"]) or "all",
            " ".join(each["kinds"]) or "all", f"{each['from_percent']} %", state,
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    return table
