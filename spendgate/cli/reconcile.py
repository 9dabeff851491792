"""``spendgate reconcile``: what shadow said against a replay of the ledger, event by event."""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spendgate.cli.endpoints import Failure
from spendgate.cli.ledger_say import told_of_ledger
from spendgate.cli.policies import policies_of
from spendgate.cli.say import FOUND, USAGE

_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}


def reconcile(
    name: Annotated[str | None, typer.Argument(metavar="POLICY", help="A policy's name; all if none is given.")] = None,
    ledger: Annotated[str, typer.Option(metavar="PATH", help="The ledger: a folder or a URL.")] = "",
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", exists=True, dir_okay=False, help="A file of policies that were ever staged."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose; needed where the ledger has several.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="From this instant of the log on, RFC 3339.")] = None,
    to: Annotated[str | None, typer.Option(help="Before this instant of the log, RFC 3339.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare shadow's decisions with a replay of the ledger. Exit code 0: pass; 1: fail or inconclusive."""
    with told_of_ledger():
        if not ledger or not policy:
            raise Failure("ledger, policy: expected --ledger PATH and at least one --policy FILE", USAGE)
        from spendgate.ledger.delta_reader import Ledger
        from spendgate.reconcile.run import Wanted
        from spendgate.reconcile.run import reconcile as reconciled

        opened = Ledger.open(ledger)
        wanted = Wanted(_tenant(opened.tenants(), tenant), name, _ms("from", from_), _ms("to", to))
        try:
            found = reconciled(opened, _by_hash(policy), wanted)
        except KeyError as error:
            raise Failure(f"policy: expected the file of version {error.args[0]}, which was staged", USAGE) from None
        if as_json:
            typer.echo(json.dumps(found))
        else:
            _show(Console(), found)
    if found["outcome"] != "pass":
        raise typer.Exit(FOUND)


def _by_hash(files: list[Path]) -> dict[str, Any]:
    from spendgate.model.canonical import policy_hash

    return {policy_hash(each): each for each in policies_of(files)}


def _tenant(known: list[str], wanted: str | None) -> str:
    if wanted is None and len(known) == 1:
        return known[0]
    if wanted is None:
        raise Failure("tenant: expected --tenant, as the ledger has none or several", USAGE)
    if wanted not in known:
        raise Failure("tenant: expected one that the ledger has", USAGE)
    return wanted


def _ms(field: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Failure(f"{field}: expected an instant with its offset, such as 2026-05-01T00:00:00Z", USAGE)
    return int(at.timestamp() * 1000)


def _show(console: Console, found: dict[str, Any]) -> None:
    calls, style = found["calls"], _STYLES[found["outcome"]]
    console.print(f"\n[bold]{escape(found['policy'] or 'all policies')}[/bold]  [{style}]{found['outcome']}[/]")
    console.print(_sample(calls, found["observed"]))
    table = Table(box=None, pad_edge=False)
    for title in ("", "criterion", "measured", "asked for", "missing"):
        table.add_column(title, justify="right" if title in ("measured", "asked for", "missing") else "left")
    for each in found["criteria"]:
        sign = f"[{_STYLES[each['outcome']]}]{each['outcome']}[/]"
        numbers = (f"{each[field]:,}" for field in ("measured", "threshold", "missing"))
        table.add_row(sign, each["words"], *numbers)
    console.print(table)
    for each in found["differences"]:
        console.print(f"  {each['calls']:,} {each['kind'].replace('_', ' ')}, cause: {each['cause'].replace('_', ' ')}")
    for each in found["examples"][:5]:
        console.print(f"  [dim]{escape(each['event_id'])}: {escape(each['words'])}[/dim]")


def _sample(calls: dict[str, Any], observed: dict[str, Any]) -> str:
    if not calls["replayed"]:
        return "no call was judged: that proves nothing"
    return (
        f"{calls['matched']:,} of {calls['replayed']:,} calls agree ({calls['repeated']:,} published again, unchanged)"
        f"; at most {calls['differing_at_most']:.3%} differ, with 95 % confidence\n"
        f"{observed['from']} to {observed['to']}"
    )
