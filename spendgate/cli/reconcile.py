"""``spendgate reconcile``: what shadow said against a replay of the ledger, event by event."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from spendgate.cli.endpoints import Failure
from spendgate.cli.ledger_say import told_of_ledger
from spendgate.cli.policies import policies_of
from spendgate.cli.reconcile_view import show_reconciliation
from spendgate.cli.say import FOUND, USAGE


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
        from spendgate.model.reconciliation import encode_reconciliation
        from spendgate.reconcile.asked import Wanted
        from spendgate.reconcile.run import reconcile as reconciled

        opened = Ledger.open(ledger)
        wanted = Wanted(_tenant(opened.tenants(), tenant), name, _ms("from", from_), _ms("to", to))
        try:
            found = reconciled(opened, _by_hash(policy), wanted)
        except KeyError as error:
            raise Failure(f"policy: expected the file of version {error.args[0]}, which was staged", USAGE) from None
        if as_json:
            typer.echo(encode_reconciliation(found))
        else:
            show_reconciliation(found)
    if found.outcome != "pass":
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
