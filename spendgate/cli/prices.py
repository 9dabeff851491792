"""``spendgate prices``: what a model costs and why, and whether a price table is sound. No network."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from spendgate.cli.say import FOUND, USAGE, told_without_kafka
from spendgate.failure import Failure

if TYPE_CHECKING:
    from spendgate.prices.book import PriceBook
    from spendgate.prices.cards import Card

app = typer.Typer(no_args_is_help=True, help="List prices, and a price table of your own over them.")
_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="The model, as events name it.")],
    vendor: Annotated[str | None, typer.Option(help="The vendor (default: all that list the model).")] = None,
    at: Annotated[str | None, typer.Option(metavar="DATE", help="Prices of this day or time (default: now).")] = None,
    book: Annotated[Path | None, typer.Option(help="A price table of your own, YAML or JSON.")] = None,
    as_json: _AsJson = False,
) -> None:
    """Show what a model costs at a time, and where the price comes from. Exit 1 if it has no price."""
    from spendgate.prices.loading import load_book

    with told_without_kafka():
        now = datetime.now(UTC)
        instant = now if at is None else instant_of(at, "--at")
        prices = load_book(book)
        found = _cards(prices, vendor, model, instant)
        if as_json:
            cards = [{"vendor": name, **_json(card)} for name, card in found]
            typer.echo(json.dumps({"at": instant.isoformat(), "book": prices.hash, "model": model, "prices": cards}))
        elif found:
            Console().print(_table(model, instant, found))
            for name, card in found:
                typer.echo(f"{name}: {card.origin}")
        if not found:
            raise Failure("no price for this model; see docs/prices.md for a table of your own", FOUND)


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A price table, YAML or JSON.")], as_json: _AsJson = False) -> None:
    """Check a price table: every error with its place, and the hash of the book. Exit 1 on an error."""
    from spendgate.prices.own_source import MAX_BYTES, check_own

    with told_without_kafka():
        with file.open("rb") as stream:
            table, problems = check_own(stream.read(MAX_BYTES + 1))
        book_hash = _hash(table) if table else None
        if as_json:
            errors = [{**problem.place._asdict(), **_problem_json(problem)} for problem in problems]
            typer.echo(json.dumps({"ok": not errors, "file": str(file), "book": book_hash, "errors": errors}))
        else:
            for problem in problems:
                typer.echo(problem.line_of(str(file)))
            if table:
                typer.echo(f"{file}: {len(table.prices)} prices, book {book_hash}")
        raise typer.Exit(FOUND if problems else 0)


def prices_at(text: str, now: datetime, own: Path | None = None) -> "tuple[PriceBook, datetime | None]":
    """What ``--prices-at DATE|today|FILE`` asks for: the book, and the instant whose prices hold for all calls.

    A day or time, and ``today``, take the book of ``own`` at that instant; a file is a price table, used at each
    call's own time. Raises Failure, and OSError.
    """
    from spendgate.prices.loading import load_book

    if text == "today":
        return load_book(own), now
    if Path(text).exists():
        return load_book(Path(text)), None
    return load_book(own), instant_of(text, "--prices-at")


def instant_of(text: str, option: str) -> datetime:
    """A day (its first instant, UTC) or a time (UTC unless it says otherwise). Raises Failure, naming the option."""
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        also = ", 'today' or a price table" if option == "--prices-at" else ""
        raise Failure(f"{option}: expected a day such as 2026-07-01, an ISO 8601 time{also}", USAGE) from None
    if not date(1970, 1, 2) <= instant.date() < date(2200, 1, 1):
        raise Failure(f"{option}: expected a time from 1970-01-02 to 2200", USAGE)
    return instant


def _cards(book: "PriceBook", vendor: str | None, model: str, at: datetime) -> list[tuple[str, "Card"]]:
    """The vendors asked for that have a price, by name."""
    from spendgate.prices.list_prices import vendors_of

    names = [vendor] if vendor is not None else sorted({*vendors_of(model), *_own_vendors(book)})
    found = [(name, book.card(name, model, at)) for name in names]
    return [(name, card) for name, card in found if card is not None]


def _own_vendors(book: "PriceBook") -> set[str]:
    """The vendors that the table names outright; a glob names none."""
    from spendgate.model.policy_globs import is_literal

    entries = book.own.prices if book.own else []
    return {glob for entry in entries for glob in entry.match.vendor or () if is_literal(glob)}


def _hash(table: Any) -> str:
    from spendgate.prices.book import PriceBook

    return PriceBook(table).hash


def _problem_json(problem: Any) -> dict[str, Any]:
    return {"field": problem.field, "message": problem.expected, "nearest": problem.nearest}


def _json(card: "Card") -> dict[str, Any]:
    from spendgate.prices.cards import KINDS

    return {
        "origin": str(card.origin),
        "bands": [
            {
                "over_input_tokens": max(band.over, 0),
                "per_million_tokens_usd": {
                    kind: _usd_of_million(rate, card.scale) for kind, rate in zip(KINDS, band.per_token, strict=True)
                },
                "per_call_usd": _decimal(band.per_call, card.scale * 10**9),
            }
            for band in card.bands
        ],
    }


def _table(model: str, at: datetime, found: list[tuple[str, "Card"]]) -> Table:
    from spendgate.prices.cards import KINDS

    kinds = [kind.removesuffix("_input").replace("_", " ") for kind in KINDS]
    title = f"{model} at {at:%Y-%m-%d %H:%M} UTC, dollars for a million tokens"
    table = Table("vendor", "input over", *kinds, "a call", title=title)
    for vendor, card in found:
        for each in _json(card)["bands"]:
            over = each["over_input_tokens"]
            rates = [rate or "-" for rate in each["per_million_tokens_usd"].values()]
            names = (vendor, "") if not over else ("", f"{over:,}")
            table.add_row(*names, *rates, each["per_call_usd"])
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _usd_of_million(rate: int | None, scale: int) -> str | None:
    return None if rate is None else _decimal(rate, scale * 1000)


def _decimal(numerator: int, denominator: int) -> str:
    """A plain decimal without needless zeros; every price is one, for it was written as one."""
    return f"{(Decimal(numerator) / Decimal(denominator)).normalize():f}"
