"""The ledger's commands on a terminal: what there is, and what was proven."""

from collections import Counter
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import SCHEMA_VERSION, SHAPES, TableName
from spendgate.ledger.delta_verify import Range, SourceReport, Verified

_SHOWN = 20
"""How many tenants, gaps or files are listed on a terminal; ``--json`` has all."""


def info_of(ledger: Ledger) -> dict[str, Any]:
    """As ``--json`` prints it."""
    return {
        "ledger": ledger.store.root,
        "schema_version": SCHEMA_VERSION,
        "tables": {name: _table_info(ledger, name) for name in ledger.versions},
        "tenants": {tenant: ledger.rows("events", tenant) for tenant in ledger.tenants()},
    }


def _table_info(ledger: Ledger, name: TableName) -> dict[str, Any]:
    files, table = ledger.files(name), ledger.table(name)
    days = sorted({file.partition["day"].isoformat() for file in files}) if SHAPES[name].by_day else []
    sources = Counter(file.source for file in files)
    topics = [
        {"topic_id": source[0], "partition": source[1], "covered": ledger.covered(name, *source)}
        for source in sorted(each for each in sources if each is not None)
    ]
    return {
        "version": ledger.versions[name],
        "rows": ledger.rows(name),
        "files": len(files),
        "bytes": sum(file.size_bytes for file in files),
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
        "imports": (table.transaction_version("imports") or 0) if table is not None and name == "events" else 0,
        "topic_partitions": topics,
    }


def show_info(told: dict[str, Any]) -> None:
    """Tables and tenants."""
    tables = Table("table", "version", "rows", "files", "MiB", "first day", "last day", title=told["ledger"])
    for name, each in told["tables"].items():
        counts = (f"{each[key]:,}" for key in ("version", "rows", "files"))
        days = each["first_day"] or "-", each["last_day"] or "-"
        tables.add_row(name, *counts, f"{each['bytes'] / 2**20:,.1f}", *days)
    for column in tables.columns[1:5]:
        column.justify = "right"
    Console().print(tables)
    for tenant, rows in list(told["tenants"].items())[:_SHOWN]:
        typer.echo(f"{tenant}: {rows:,} events")
    if (left := len(told["tenants"]) - _SHOWN) > 0:
        typer.echo(f"and {left:,} more tenants")


def show_verified(found: Verified) -> None:
    """What was proven, source by source, and what is wrong."""
    table = Table("table", "topic id", "partition", "offsets", "rows", "behind", "")
    for source in found.sources:
        behind = "" if source.behind is None else f"{source.behind:,}"
        offsets = f"{source.first:,} to {source.last:,}" if source.last >= source.first else "none"
        table.add_row(source.table, source.topic_id, str(source.partition), offsets, f"{source.rows_found:,}", behind,
                      _judgement(source))  # fmt: skip
    if found.sources:
        Console().print(table)
    if found.imported or found.imported_found:
        typer.echo(f"imported: {found.imported:,} rows counted, {found.imported_found:,} found")
    for damaged in found.damaged[:_SHOWN]:
        typer.echo(f"{damaged.table}/{damaged.path}: {damaged.problem}")
    if (left := len(found.damaged) - _SHOWN) > 0:
        typer.echo(f"and {left:,} more damaged files")
    typer.echo("complete" if found.complete else "not complete")


def _judgement(source: SourceReport) -> str:
    said = [f"missing {_range(gap)}" for gap in source.gaps[:_SHOWN]]
    if source.missing and not source.gaps:
        said.append(f"{source.missing:,} offsets were skipped; the log no longer tells which")
    if source.rows != source.rows_found:
        said.append(f"expected {source.rows:,} rows")
    if source.past_end:
        said.append("past the end of the topic")
    return "; ".join(said) or "complete"


def _range(gap: Range) -> str:
    return f"{gap.first:,}" if gap.first == gap.last else f"{gap.first:,} to {gap.last:,}"
