"""``spendgate export``: events or decisions as a file, over the management API."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from spendgate.cli.api_client import api
from spendgate.cli.exports import ExportedFormat, ExportedRows, ExportedTable, Where, exported_line, filters_of
from spendgate.cli.say import USAGE, notice
from spendgate.failure import Failure

_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]
_PATHS = {"events": "/v1/ledger/export", "decisions": "/v1/decisions/export"}
STDOUT = Path("-")


def export(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="Where to; - is standard output.")],
    table: ExportedTable = "events",
    file_format: ExportedFormat = None,
    rows: ExportedRows = "day",
    where: Where = None,
    from_: Annotated[
        datetime | None, typer.Option("--from", formats=_DATES, help="Calls from this instant on (UTC).")
    ] = None,
    to: Annotated[datetime | None, typer.Option(formats=_DATES, help="Calls before this instant (UTC).")] = None,
    imported: Annotated[bool, typer.Option("--imported", help="With events that were imported.")] = False,
    version: Annotated[int | None, typer.Option(min=0, help="The ledger as it was at this version.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write events or decisions of the door's ledger to a file, which is there whole or not at all."""
    with api() as opened:
        from spendgate.ledger.export_formats import check_filters

        wanted = filters_of(where)
        check_filters(table, wanted)
        wanted["format"] = _format(out, file_format)
        times = {"from": from_, "to": to}
        wanted |= {name: _utc(at).isoformat() for name, at in times.items() if at is not None}
        wanted |= {} if version is None else {"version": str(version)}
        wanted |= {"rows": rows, "imported": str(imported).lower()} if table == "events" else {}
        with opened.file(_PATHS[table], params=wanted) as (headers, parts), _sink(out) as sink:
            for part in parts:
                sink.write(part)
        told = _told(out, headers)
        (notice if out == STDOUT else typer.echo)(json.dumps(told) if as_json else exported_line(told))


def _format(out: Path, said: str | None) -> str:
    from spendgate.ledger.export_formats import format_of

    if out == STDOUT and said is None:
        raise Failure("format: expected --format with -o -", USAGE)
    return format_of(out, said)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


@contextmanager
def _sink(out: Path) -> Iterator[BinaryIO]:
    from spendgate.cli.whole_file import whole_file

    if out == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with whole_file(out) as sink:
            yield sink


def _told(out: Path, headers: Any) -> dict[str, Any]:
    version, unpriced = (headers.get(f"x-spendgate-{name}") for name in ("ledger-version", "unpriced-calls"))
    return {
        "rows": None, "out": str(out), "version": None if version is None else int(version),
        "unpriced": None if unpriced is None else int(unpriced),
    }  # fmt: skip
