"""``spendgate simulate``: what policies would have said of recorded events; no broker."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.policies import policies_of
from spendgate.cli.say import notice, told_without_kafka

if TYPE_CHECKING:
    from spendgate.simulate.files import Report

_Files = Annotated[list[Path], typer.Option("--policy", exists=True, dir_okay=False, help="A policy file.")]


def simulate(
    policy: _Files,
    events: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSONL, CSV or an Azure trace.")],
    decisions: Annotated[
        Path | None, typer.Option(help="Write one row per call and policy to this Parquet file.")
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Whose events these are, whatever the rows say.")] = None,
    columns: Annotated[str, typer.Option("--map", help="cost_usd=Cost,team=Team for a CSV file.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run policies over recorded events with the engine of the live path, and show totals by verdict."""
    from spendgate.ledger.reader_options import ReadOptions, parse_mapping

    with told_without_kafka():
        from spendgate.simulate.files import simulate_file

        policies = policies_of(policy)
        report = simulate_file(policies, events, ReadOptions(tenant=tenant, mapping=parse_mapping(columns)), decisions)
        if report.refused:
            notice(f"{report.refused:,} rows could not be read and are left out; spendgate send tells why")
        typer.echo(json.dumps(report.as_dict())) if as_json else Console().print(_table(report))


def _table(report: "Report") -> Table:
    from spendgate.model.decision import VERDICTS
    from spendgate.model.money import format_usd

    table = Table(
        "would-be verdict", "calls", "dollars", title=f"{report.calls:,} calls, {report.duplicates:,} repeats"
    )
    for verdict in VERDICTS:
        table.add_row(verdict, f"{report.events[verdict]:,}", format_usd(report.nano_usd[verdict]))
    table.add_row("all", f"{report.calls:,}", format_usd(sum(report.nano_usd.values())))
    table.columns[1].justify = table.columns[2].justify = "right"
    return table
