"""``spendgate send``: events of a file, or of stdin, onto the event topic."""

import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
import typer
from rich.console import Console

from spendgate.cli.endpoints import kafka_bootstrap
from spendgate.cli.say import INTERRUPTED, notice, told_clearly
from spendgate.ledger.reader_options import DEFAULT_SOURCE, read_options
from spendgate.ledger.reader_problem import InputError
from spendgate.model.event import MAX_EVENTS_PER_MESSAGE

if TYPE_CHECKING:
    from spendgate.cli.send_session import Pricing, Result
    from spendgate.prices.events import Mode

STDIN = Path("-")


class Prices(StrEnum):
    """Where costs come from; see ``spendgate.prices.events.Mode``."""

    given = "given"
    missing = "missing"
    recomputed = "recomputed"


def send(
    file: Annotated[Path, typer.Argument(help="A file or a folder of any format that is read; - reads stdin.")],
    tenant: Annotated[str | None, typer.Option(help="Send every event as this tenant's.")] = None,
    shift_to: Annotated[
        str | None,
        typer.Option(metavar="now|TIME", help="Move all times so that the last event is at this one."),
    ] = None,
    mapping: Annotated[
        str,
        typer.Option("--map", metavar="FIELD=COLUMN,...", help="Columns of a table; cost_usd takes dollars."),
    ] = "",
    file_format: Annotated[str, typer.Option("--format", help="The file's format; found out by itself.")] = "auto",
    strict: Annotated[bool, typer.Option("--strict", help="A row that cannot be read is an error.")] = False,
    source: Annotated[str, typer.Option(help="The source of rows that name none.")] = DEFAULT_SOURCE,
    seed: Annotated[int, typer.Option(help="Seed of the owners that an Azure trace is given.")] = 0,
    pack: Annotated[int, typer.Option(min=1, max=MAX_EVENTS_PER_MESSAGE, help="Events a message.")] = 500,
    rate: Annotated[int | None, typer.Option(min=1, help="Rows a second, at most.")] = None,
    timeout: Annotated[float, typer.Option(min=1, max=3600, help="Seconds to wait for Kafka.")] = 60.0,
    state: Annotated[Path | None, typer.Option(help="Where progress is kept (default: beside FILE).")] = None,
    quarantine: Annotated[Path | None, typer.Option(help="Where bad rows are noted (default: beside FILE).")] = None,
    price: Annotated[
        Prices,
        typer.Option(help="Costs as the file gives them, from a price book where it gives none, or all from it."),
    ] = Prices.given,
    book: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Your own price table.")] = None,
    bootstrap: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Kafka.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Send the events of a file to Kafka.

    An interrupted send goes on where it was when it is called again. Sending twice does no harm, for the
    identities are those of the rows. A bad row is set aside by line, field and what was expected.
    """
    with told_clearly():
        from spendgate.cli.send_session import Request, perform

        request = Request(
            path=None if file == STDIN else file,
            options=read_options(tenant, source, mapping, seed, file_format, strict=strict),
            shift_to=None if shift_to is None else _instant(shift_to, datetime.now(UTC)),
            pack=pack,
            rate=rate,
            timeout_s=timeout,
            state=state,
            quarantine=quarantine,
            bootstrap=kafka_bootstrap(bootstrap),
            pricing=_pricing(price, book),
        )
        began_s = time.monotonic()
        console = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
        result = perform(request, console, notice)
        seconds = round(time.monotonic() - began_s, 3)
        typer.echo(_json(result, seconds) if as_json else _text(result, seconds))
        if result.interrupted:
            raise typer.Exit(INTERRUPTED)


def _pricing(price: Prices, book: Path | None) -> "Pricing | None":
    if price == Prices.given:
        if book is not None:
            raise InputError("book: expected --price missing or --price recomputed with it")
        return None
    from spendgate.cli.send_session import Pricing
    from spendgate.prices.loading import load_book

    return Pricing(load_book(book), cast("Mode", price.value))


def _json(result: "Result", seconds: float) -> str:
    return msgspec.json.encode(msgspec.structs.asdict(result) | {"seconds": seconds}).decode()


def _text(result: "Result", seconds: float) -> str:
    lines = [f"{result.events:,} events in {result.messages:,} messages to {result.topic} in {seconds:.1f} s"]
    if result.resumed_rows:
        lines.append(f"  went on after row {result.resumed_rows:,}; these numbers count from the beginning")
    if result.quarantined:
        lines.append(f"  {result.quarantined:,} bad rows set aside in {result.quarantine}")
    if result.ignored_columns:
        lines.append(f"  columns not read: {', '.join(result.ignored_columns)}")
    if result.dropped_fields:
        lines.append(f"  content that was not read: {', '.join(result.dropped_fields)}")
    if result.seeded:
        lines.append("  owners, models and costs are imagined: the trace has none, a seeded rule gave them")
    lines += [f"  no price: {each}" for each in result.unpriced or ()]
    if result.interrupted:
        lines.append("  interrupted: send again to go on" if result.resumable else "  interrupted")
    return "\n".join(lines)


def _instant(text: str, now: datetime) -> datetime:
    if text == "now":
        return now
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InputError("shift-to: expected 'now' or an ISO 8601 time") from None
