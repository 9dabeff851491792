"""A file's events into the ledger: read, bad rows set aside, recorded in one step."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypedDict

import msgspec
import typer

from spendgate.cli.ledger_say import bar
from spendgate.cli.say import notice
from spendgate.ledger.delta_import import import_events
from spendgate.ledger.reader_folder import content_of
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import InputError, Refused
from spendgate.ledger.reader_quarantine import Quarantine
from spendgate.ledger.readers import FolderReading, Reading, open_reading
from spendgate.model.event import Event


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the user asked for. ``strict``: a row that cannot be read is an error, and nothing is recorded."""

    path: Path
    root: str
    storage_options: dict[str, str]
    options: ReadOptions
    quarantine: Path | None
    strict: bool


class ImportResult(TypedDict):
    """As ``--json`` prints it. ``already``: this file had been imported, and nothing changed."""

    import_number: int
    version: int
    rows: int
    duplicates: int
    already: bool
    quarantined: int
    quarantine: str | None
    ignored_columns: list[str]
    dropped_fields: list[str]
    sha256: str


def perform_import(request: ImportRequest) -> ImportResult:
    """Import. Raises InputError, OSError and LedgerError; the ledger is then as it was."""
    content, size = content_of(request.path)
    digest = _digest(content, request.options)
    aside = request.quarantine or Path(f"{request.path}.spendgate-quarantine.jsonl")
    with (
        open_reading(request.path, request.options) as reading,
        Quarantine(aside) as quarantine,
        bar("bytes", size) as advance,
    ):
        told = 0

        def tell(_: int) -> None:
            nonlocal told
            told, before = reading.bytes_read, told
            advance(told - before)

        events = _events(reading, quarantine, strict=request.strict)
        done = import_events(request.root, events, digest, storage_options=request.storage_options, on_rows=tell)
    return {
        "import_number": done.number, "version": done.version, "rows": done.rows, "duplicates": done.duplicates,
        "already": done.already, "quarantined": quarantine.count,
        "quarantine": str(aside) if quarantine.count else None, "ignored_columns": reading.ignored,
        "dropped_fields": reading.dropped, "sha256": digest,
    }  # fmt: skip


def _digest(content: str, options: ReadOptions) -> str:
    """Of the file and of how it is read: the same bytes for another tenant are another import."""
    told = [options.tenant, options.source, sorted(options.mapping.items()), options.seed, options.format]
    if options == ReadOptions():
        return content
    return sha256(content.encode() + msgspec.json.encode(told)).hexdigest()


def _events(reading: Reading | FolderReading, quarantine: Quarantine, *, strict: bool) -> Iterator[Event]:
    for item in reading:
        if not isinstance(item, Refused):
            yield item
        elif strict:
            raise InputError(str(item))
        else:
            quarantine.put(item)


def tell_import(done: ImportResult) -> None:
    """The result in words."""
    if done["already"]:
        typer.echo(f"imported before, as number {done['import_number']}: nothing changed")
        return
    if done["quarantined"]:
        notice(f"{done['quarantined']:,} rows could not be read and are noted in {done['quarantine']}")
    if done["ignored_columns"]:
        notice(f"columns not read: {', '.join(done['ignored_columns'])}")
    if done["dropped_fields"]:
        notice(f"content that was not read: {', '.join(done['dropped_fields'])}")
    typer.echo(
        f"import {done['import_number']}: {done['rows']:,} events, {done['duplicates']:,} of them repeats, "
        f"in version {done['version']}"
    )
