"""What the two exports of the command line share: their options, and what they say when they are done."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer

ExportedTable = Annotated[Literal["events", "decisions"], typer.Option("--table", help="What to export.")]
LedgerTables = Annotated[Literal["events", "decisions", "activations"], typer.Option("--table", help="What to export.")]
ExportedFormat = Annotated[
    str | None,
    typer.Option("--format", help="parquet, csv, jsonl, focus or focus-parquet. [default: by the name's ending]"),
]
ExportedRows = Annotated[
    Literal["day", "hour", "call"], typer.Option("--rows", help="What a row of a FOCUS cost export stands for.")
]
Where = Annotated[
    list[str] | None, typer.Option("--where", metavar="FIELD=VALUE", help="Only rows of this team, verdict, ...")
]


def filters_of(pairs: list[str] | None) -> dict[str, str]:
    """``FIELD=VALUE`` pairs by field. Raises InputError."""
    from spendgate.ledger.reader_problem import InputError

    parted = [pair.partition("=") for pair in pairs or ()]
    if not all(name and sign and value for name, sign, value in parted):
        raise InputError("where: expected FIELD=VALUE, such as team=marketing")
    return {name: value for name, _, value in parted}


def exported_line(told: Mapping[str, Any]) -> str:
    """What was done, in words."""
    rows = f"{told['rows']:,} rows" if told["rows"] is not None else "all rows"
    said = f"{rows} of version {told['version']} in {told['out']}"
    left_out = told["unpriced"]
    return f"{said}; calls without a price, left out: {left_out:,}" if left_out else said
