"""The prices that a command or a process goes by."""

from pathlib import Path

from spendgate.failure import USAGE, Failure
from spendgate.prices.book import PriceBook
from spendgate.prices.own_source import PriceErrors


def load_book(own: Path | None) -> PriceBook:
    """The list prices with the table of a file, or alone. Raises Failure, and OSError for a file that can't be read."""
    try:
        return PriceBook.load(own)
    except PriceErrors as error:
        raise Failure(f"a price table has errors\n{error}", USAGE) from None
