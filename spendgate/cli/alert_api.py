"""``spendgate alert list | show | resend``: what was alerted, and what became of it, over the management API."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from spendgate.cli import alert_target_api
from spendgate.cli.api_client import Api, api
from spendgate.cli.api_pages import ALL, SHOWN, pages, whole_id
from spendgate.cli.wide import wide_console

app = typer.Typer(no_args_is_help=True, help="Alerts: thresholds and caps that were crossed, and where they go.")
app.add_typer(alert_target_api.app, name="target")

Id = Annotated[str, typer.Argument(metavar="ID", help="The alert's id, or its first characters, as `list` has it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_alerts(
    policy: Annotated[str | None, typer.Option(help="Of this policy alone.")] = None,
    kind: Annotated[str | None, typer.Option(help="threshold, cap, enforcement_demoted or gate_lost.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one alert a line.")] = False,
) -> None:
    """What was alerted, the latest first."""
    with api() as opened:
        found = pages(opened, "/v1/alerts", "alerts", {"policy": policy, "kind": kind}, limit)
        if as_json:
            typer.echo("\n".join(map(json.dumps, found)))
        elif found:
            wide_console().print(_table(found))
        else:
            typer.echo("there is none")


@app.command()
def show(id_: Id, as_json: Json = False) -> None:
    """One alert, and what became of it."""
    with api() as opened:
        found = opened.ask("GET", f"/v1/alerts/{quote(_whole(opened, id_), safe='')}")
        typer.echo(json.dumps(found) if as_json else _text(found))


@app.command()
def resend(id_: Id, target: Annotated[str, typer.Argument(help="The target's name.")]) -> None:
    """Send an alert to a target again, under the same id, or for the first time."""
    with api() as opened:
        id_ = _whole(opened, id_)
        opened.ask("POST", f"/v1/alerts/{quote(id_, safe='')}/deliveries/{quote(target, safe='')}/resend")
        typer.echo(f"waiting: {id_[:SHOWN]} to {target}")


def _whole(opened: Api, id_: str) -> str:
    """The id that begins so, of the latest alerts."""
    if len(id_) > SHOWN:
        return id_
    return whole_id(id_, pages(opened, "/v1/alerts", "alerts", {}, ALL), "alert: expected the beginning of one id")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("id", "at", "kind", "what", "sent to", box=None)
    for column in table.columns[:3]:
        column.no_wrap = True
    for each in found:
        kind = each["kind"] if each["threshold_percent"] is None else f"{each['threshold_percent']} %"
        sent = ", ".join(f"{one['target']} ({one['state']})" for one in each["deliveries"]) or "nobody"
        cells = (each["id"][:SHOWN], each["at"][:16].replace("T", " "), kind, each["words"], sent)
        table.add_row(*map(escape, cells))
    return table


def _text(alert: dict[str, Any]) -> str:
    call = f"by call {alert['event_id']} of {alert['source']}" if alert["event_id"] else f"about {alert['policy']}"
    lines = [alert["words"], f"{alert['id']}, {call}, at {alert['at']}", *map(_delivery, alert["deliveries"])]
    return "\n".join(lines)


def _delivery(found: dict[str, Any]) -> str:
    attempts = f"{found['attempts']} attempt{'' if found['attempts'] == 1 else 's'}"
    facts = [attempts, found["problem"], found["next_at"] and f"next at {found['next_at']}"]
    return f"  {found['target']}: {found['state']} ({', '.join(each for each in facts if each)})"
