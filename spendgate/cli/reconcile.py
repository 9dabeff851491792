"""``spendgate reconcile``: what shadow said against a replay of the ledger, event by event."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spendgate.cli.ledger_say import told_of_ledger
from spendgate.cli.reconcile_view import show_reconciliation
from spendgate.cli.say import FOUND, USAGE
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.cli.reconcile_bill import BillOptions
    from spendgate.cli.reconcile_proofs import Given
    from spendgate.model.reconciliation import Reconciliation
    from spendgate.reconcile.two_files import TwoFiles


def reconcile(
    name: Annotated[str | None, typer.Argument(metavar="POLICY", help="A policy's name; all if none is given.")] = None,
    ledger: Annotated[str, typer.Option(metavar="PATH", help="The ledger: a folder or a URL.")] = "",
    events: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Exported events, in the ledger's place.")
    ] = None,
    decisions: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Exported decisions, as with --events.")
    ] = None,
    activations: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Exported activations, if decisions do not tell.")
    ] = None,
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", exists=True, dir_okay=False, help="A file of policies that were ever staged."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose; needed where the ledger has several.")] = None,
    staging: Annotated[str | None, typer.Option(help="Of this staging alone.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="From this instant of the log on, RFC 3339.")] = None,
    to: Annotated[str | None, typer.Option(help="Before this instant of the log, RFC 3339.")] = None,
    kafka: Annotated[
        bool, typer.Option("--kafka", help="Compare with the topics' offsets; policies come from there, too.")
    ] = False,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka, as with --kafka.")] = None,
    counters: Annotated[bool, typer.Option("--counters", help="Compare the counters in Redis, too.")] = False,
    redis: Annotated[str | None, typer.Option(metavar="URL", help="Redis, as with --counters.")] = None,
    bill: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The bill, FOCUS or CSV.")] = None,
    bill_final: Annotated[bool, typer.Option("--bill-final", help="The vendor will not change the bill.")] = False,
    bill_calendar: Annotated[str, typer.Option(metavar="UNIT", help="Its buckets: day or month.")] = "day",
    bill_timezone: Annotated[str, typer.Option(metavar="ZONE", help="In which its days begin.")] = "UTC",
    bill_vendor: Annotated[str | None, typer.Option(help="Of lines that name none.")] = None,
    bill_account: Annotated[list[str] | None, typer.Option(help="Whose lines; repeatable; all if none.")] = None,
    bill_map: Annotated[str, typer.Option(help="cost_usd=Cost,day=Date for a plain CSV file.")] = "",
    bill_names: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A mapping of vendors' and models' names.")
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The tenant's price table; its hash is noted.")
    ] = None,
    checks: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Checks, JSON lines; else those of the ledger.")
    ] = None,
    waive: Annotated[
        list[str] | None, typer.Option(metavar="CRITERION=REASON", help="What need not hold, and why; repeatable.")
    ] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Have the running agent do it, and wait for what comes of it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare shadow's decisions with a replay of the ledger. Exit code 0: pass; 1: fail or inconclusive."""
    if now:
        from spendgate.cli.reconcile_now import reconcile_now

        if not reconcile_now(name, staging, (from_, to), as_json=as_json):
            raise typer.Exit(FOUND)
        return
    with told_of_ledger():
        from spendgate.cli.reconcile_bill import BillOptions
        from spendgate.cli.reconcile_proofs import Given

        billed = BillOptions(
            bill, bill_final, bill_calendar, bill_timezone, bill_vendor, bill_account, bill_map, bill_names
        )
        given = Given(
            ledger, _two_files(events, decisions, activations), policy or [], kafka or bootstrap is not None, bootstrap,
            counters or redis is not None, redis, prices, checks, waive or [],
        )  # fmt: skip
        interval = _ms("from", from_), _ms("to", to)
        found = _reconciled(given, billed, tenant, (name, staging), interval)
        if as_json:
            from spendgate.model.reconciliation import encode_reconciliation

            typer.echo(encode_reconciliation(found))
        else:
            show_reconciliation(found)
    if found.outcome != "pass":
        raise typer.Exit(FOUND)


def _reconciled(
    given: "Given",
    billed: "BillOptions",
    tenant: str | None,
    which: tuple[str | None, str | None],
    interval: tuple[int | None, int | None],
) -> "Reconciliation":
    from spendgate.cli.reconcile_proofs import gathered, opened, policies_by_hash
    from spendgate.reconcile.asked import Wanted
    from spendgate.reconcile.run import reconcile as reconciled

    policies = policies_by_hash(given)
    try:
        with opened(given, tenant, policies) as (ledger, known):
            wanted = Wanted(_tenant(ledger.tenants(), known), which[0], *interval, which[1])
            return reconciled(ledger, policies, wanted, gathered(given, billed, ledger, wanted))
    except KeyError as error:
        raise Failure(f"policy: expected the file of version {error.args[0]}, which was staged", USAGE) from None
    except ValueError as error:
        raise Failure(str(error), USAGE) from None


def _two_files(events: Path | None, decisions: Path | None, activations: Path | None) -> "TwoFiles | None":
    from spendgate.reconcile.two_files import TwoFiles

    if (events is None) != (decisions is None):
        raise Failure("events, decisions: expected both or none", USAGE)
    return None if events is None or decisions is None else TwoFiles(events, decisions, activations)


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
