"""``spendgate ledger``: what the ledger holds, whether all of it is there, and how history gets in and out."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spendgate.cli.exports import ExportedFormat, ExportedRows, LedgerTables, Where
from spendgate.cli.ledger_say import bar, told_of_ledger
from spendgate.cli.say import FOUND, USAGE
from spendgate.failure import Failure
from spendgate.ledger.retention import KEEP_HOURS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spendgate.ledger.delta_reader import Ledger
    from spendgate.ledger.delta_tables import TableName
    from spendgate.ledger.delta_verify import Offsets, Source

app = typer.Typer(no_args_is_help=True, help="The durable history of events, as Delta tables.")

Place = Annotated[str, typer.Option("--ledger", metavar="PATH", help="A folder, or the URL of one in object storage.")]
Storage = Annotated[
    list[str] | None, typer.Option("--storage-option", metavar="KEY=VALUE", help="For object storage; may be repeated.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Tenant = Annotated[str | None, typer.Option(help="Of this tenant alone.")]
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]


def storage_options(pairs: list[str] | None) -> dict[str, str]:
    """``KEY=VALUE`` pairs as a dict. Raises InputError, which repeats no value: it may be a secret."""
    from spendgate.ledger.reader_problem import InputError

    found = dict(pair.partition("=")[::2] for pair in pairs or [])
    if not all(found.keys()) or not all("=" in pair for pair in pairs or []):
        raise InputError("storage-option: expected KEY=VALUE")
    return found


@app.command()
def info(
    ledger: Place,
    version: Annotated[int | None, typer.Option(min=0, help="Of the events table; default: the newest.")] = None,
    storage_option: Storage = None,
    as_json: Json = False,
) -> None:
    """Show tables, versions, rows, tenants and days."""
    from spendgate.cli.ledger_view import info_of, show_info

    with told_of_ledger():
        told = info_of(_opened(ledger, storage_option, version))
        typer.echo(json.dumps(told)) if as_json else show_info(told)


@app.command()
def verify(
    ledger: Place,
    kafka: Annotated[bool, typer.Option("--kafka", help="Compare with the offsets of the topics, too.")] = False,
    bootstrap: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Kafka. [default: SPENDGATE_KAFKA, else the dev stack]")
    ] = None,
    storage_option: Storage = None,
    as_json: Json = False,
) -> None:
    """Prove that nothing is missing, and end with 1 where something is.

    Compares offsets with the transactions, rows with what was counted when they were written, and every file with
    what the log says of it.
    """
    from spendgate.cli.ledger_view import show_verified
    from spendgate.ledger.delta_tables import TABLES
    from spendgate.ledger.delta_verify import verify as verify_ledger

    with told_of_ledger():
        opened = _opened(ledger, storage_option)
        offsets = topic_offsets_of(bootstrap) if kafka or bootstrap else {}
        with bar("files", sum(len(opened.files(name)) for name in TABLES)) as advance:
            found = verify_ledger(opened, offsets, on_file=lambda: advance(1))
        typer.echo(json.dumps(found.as_dict())) if as_json else show_verified(found)
    if not found.complete:
        raise typer.Exit(FOUND)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, help="Any file or folder that simulate reads.")],
    ledger: Place,
    tenant: Annotated[str | None, typer.Option(help="Whose events these are, whatever the rows say.")] = None,
    columns: Annotated[str, typer.Option("--map", help="cost_usd=Cost,team=Team for a CSV file.")] = "",
    file_format: Annotated[str, typer.Option("--format", help="The file's format; found out by itself.")] = "auto",
    quarantine: Annotated[Path | None, typer.Option(help="Where bad rows are noted (default: beside FILE).")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A row that cannot be read is an error.")] = False,
    storage_option: Storage = None,
    as_json: Json = False,
) -> None:
    """Record a file's events, all in one step; the same file a second time changes nothing."""
    from spendgate.cli.ledger_import import ImportRequest, perform_import, tell_import
    from spendgate.ledger.reader_options import DEFAULT_SOURCE, read_options

    with told_of_ledger():
        options = read_options(tenant, DEFAULT_SOURCE, columns, 0, file_format)
        request = ImportRequest(file, ledger, storage_options(storage_option), options, quarantine, strict)
        done = perform_import(request)
        typer.echo(json.dumps(done)) if as_json else tell_import(done)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A name that ends in .parquet, .csv or .jsonl.")],
    ledger: Place,
    tenant: Tenant = None,
    table: LedgerTables = "events",
    file_format: ExportedFormat = None,
    rows: ExportedRows = "day",
    where: Where = None,
    imported: Annotated[
        bool, typer.Option("--imported/--no-imported", help="With events that were imported, or without.")
    ] = True,
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=_DATES, help="From this instant on (UTC).")
    ] = None,
    to: Annotated[datetime | None, typer.Option(formats=_DATES, help="Up to this instant, not included (UTC).")] = None,
    version: Annotated[int | None, typer.Option(min=0, help="Of the table; default: the newest.")] = None,
    storage_option: Storage = None,
    as_json: Json = False,
) -> None:
    """Write events or decisions to a file in ledger order, tenant by tenant; the file is there whole or not at all.

    Activations are JSON lines, all of them: for `spendgate reconcile`.
    """
    from spendgate.cli.exports import exported_line, filters_of
    from spendgate.cli.whole_file import whole_file
    from spendgate.ledger.export import Asked, Export
    from spendgate.ledger.export_formats import format_of
    from spendgate.ledger.row_filter import wanted_of

    with told_of_ledger():
        if table == "activations":
            _export_activations(out, _opened(ledger, storage_option), tenant, as_json=as_json)
            return
        wanted = wanted_of(table, filters_of(where), _utc(from_), _utc(to))
        asked = Asked(table, format_of(out, file_format), wanted, imported, rows)
        opened = _opened(ledger, storage_option, None if version is None else {table: version})
        found = Export(opened, [tenant] if tenant is not None else opened.tenants(table), asked)
        with bar(table, opened.rows(table, tenant)) as advance, whole_file(out) as sink:
            written = found.write(sink, advance)
        told = {"rows": written, "out": str(out), "version": found.version, "unpriced": found.unpriced}
        typer.echo(json.dumps(told) if as_json else exported_line(told))


def _export_activations(out: Path, ledger: "Ledger", tenant: str | None, *, as_json: bool) -> None:
    from spendgate.cli.exports import exported_line
    from spendgate.cli.whole_file import whole_file
    from spendgate.ledger.activation_documents import activation_lines

    if out.suffix.lower() != ".jsonl":
        raise Failure("out: expected a name that ends in .jsonl", USAGE)
    with whole_file(out) as sink:
        written = sum(1 for line in activation_lines(ledger, _tenants(ledger, tenant)) if sink.write(line))
    version = ledger.versions.get("activations")
    told = {"rows": written, "out": str(out), "version": version, "unpriced": None}
    typer.echo(json.dumps(told) if as_json else exported_line(told))


def _tenants(ledger: "Ledger", tenant: str | None) -> list[str]:
    return ledger.tenants("activations") if tenant is None else [tenant]


@app.command()
def compact(
    ledger: Place,
    target_mib: Annotated[int, typer.Option("--target-mib", min=1, max=4096, help="Size of a joined file.")] = 64,
    max_files: Annotated[int, typer.Option(min=2, help="How many small files to join at a time.")] = 2000,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Delete files that only old versions name; these can't be read then.")
    ] = False,
    keep_hours: Annotated[int, typer.Option(min=24, help="With --vacuum: how old a file must be.")] = KEEP_HOURS,
    storage_option: Storage = None,
    as_json: Json = False,
) -> None:
    """Join small files; rows and their order stay as they are."""
    with told_of_ledger():
        opened = _opened(ledger, storage_option)
        options = storage_options(storage_option)
        done = {
            name: _compacted(ledger, name, options, target_mib * 2**20, max_files, keep_hours if vacuum else None)
            for name in opened.versions
        }
        typer.echo(json.dumps(done) if as_json else "\n".join(_compacted_line(*each) for each in done.items()))


def _compacted(
    root: str, name: "TableName", options: dict[str, str], target_bytes: int, max_files: int, keep_hours: int | None
) -> dict[str, int]:
    from spendgate.ledger.delta_compact import compact as join
    from spendgate.ledger.delta_compact import vacuum

    with bar(name) as advance:
        done = join(root, name, storage_options=options, target_bytes=target_bytes, max_files=max_files,
                    on_files=advance)  # fmt: skip
    deleted = [] if keep_hours is None else vacuum(root, name, storage_options=options, keep_hours=keep_hours)
    return {"files_before": done.before, "files_after": done.after, "rows": done.rows, "deleted": len(deleted)}


def _compacted_line(name: str, done: dict[str, int]) -> str:
    return "{}: {files_before:,} small files into {files_after:,}, {deleted:,} old files deleted".format(name, **done)


def _opened(root: str, pairs: list[str] | None, version: "int | Mapping[TableName, int] | None" = None) -> "Ledger":
    from spendgate.ledger.delta_reader import Ledger

    return Ledger.open(root, storage_options(pairs), version)


def _utc(at: datetime | None) -> datetime | None:
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def topic_offsets_of(bootstrap: str | None) -> "dict[TableName, dict[Source, Offsets]]":
    """What the broker says of the topics behind the tables. Raises Failure."""
    from spendgate.cli.endpoints import kafka_bootstrap
    from spendgate.cli.say import kafka_failures

    with kafka_failures():
        from spendgate.cli.kafka_offsets import topic_offsets
        from spendgate.model.topics import load_topics

        topics, found = load_topics(), kafka_bootstrap(bootstrap)
        return {
            "events": topic_offsets(found, topics.events.name),
            "decisions": topic_offsets(found, topics.decisions.name),
        }
