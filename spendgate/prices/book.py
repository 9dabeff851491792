"""The price book: a tenant's own table over the list prices. First the table, then the list; never a guess."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from spendgate.prices import list_prices
from spendgate.prices.cards import Card, Origin, Tokens, Why, assess
from spendgate.prices.own_source import MAX_BYTES, read_own
from spendgate.prices.own_table import OwnTable
from spendgate.prices.schedule import Schedule, entries_of, instant_us

MAX_SCHEDULES = 10_000
"""How many pairs of vendor and model are remembered: names come from outside, and must not fill the memory."""


@dataclass(frozen=True)
class Price:
    """What a call costs, nano-USD, and where the price comes from."""

    cost_nano_usd: int
    origin: Origin


class PriceBook:
    """Prices by vendor, served model and time. ``hash`` (64 hex digits) names all that a price depends on: the
    table's canonical bytes and genai-prices' version and data. Two books of equal hash price alike."""

    def __init__(self, own: OwnTable | None = None) -> None:
        self.own = own
        self.hash = sha256(own.canonical_bytes() + b"\n" if own else b"\n").hexdigest()
        self.hash = sha256(f"{self.hash} {list_prices.data_hash()}".encode()).hexdigest()
        entries = entries_of(own.prices) if own else []
        self.schedule: Callable[[str | None, str | None], Schedule] = lru_cache(MAX_SCHEDULES)(
            lambda vendor, model: Schedule(entries, vendor, model)
        )

    @classmethod
    def load(cls, own: Path | None = None) -> "PriceBook":
        """The book with the table of a YAML or JSON file, or of list prices alone. Raises PriceErrors and OSError."""
        if own is None:
            return cls()
        with own.open("rb") as file:
            return cls(read_own(file.read(MAX_BYTES + 1), str(own)))

    def card(self, vendor: str | None, model: str | None, at: datetime) -> Card | None:
        """The prices in force at an aware instant; None where there are none."""
        return self.schedule(vendor, model).card_at(instant_us(at))

    def price(self, vendor: str | None, model: str | None, at: datetime, tokens: Tokens) -> Price | None:
        """What a call costs; None is unpriced, and zero only where a price of zero is stated."""
        price, _ = self.assess(vendor, model, at, tokens)
        return price

    def assess(self, vendor: str | None, model: str | None, at: datetime, tokens: Tokens) -> tuple[Price | None, Why]:
        """As ``price``, and why there is none."""
        card = self.card(vendor, model, at)
        cost_nano_usd, why = assess(card, tokens)
        if card is None or cost_nano_usd is None:
            return None, why
        return Price(cost_nano_usd, card.origin), why
