"""List prices: genai-prices, from the data in its wheel alone. Its updater is never called, nor is a snapshot read.

Its rules, which are kept: a vendor is found by id or by the library's own patterns, a model by the vendor's
patterns and then by those of vendors that it resells; a price holds from its date (UTC), some at hours of the day
only; before the first date the first price holds; a tier is chosen by all input tokens; tokens of a kind without a
price of its own are charged as the kind that they are part of.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import NamedTuple

import genai_prices
from genai_prices.data import providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from spendgate.prices.cards import Prices

VERSION = genai_prices.__version__
DAY_US = 86_400_000_000
_NANO_PER_USD_OF_MTOK = 1000
"""A dollar for a million tokens is 1,000 nano-USD for one."""
_NANO_PER_USD_OF_KCALLS = 1_000_000
_MICROSECONDS = 1_000_000
_Rate = Decimal | TieredPrices | None


class Cuts(NamedTuple):
    """Where prices may change: instants (microseconds since 1970), and times of the UTC day (microseconds)."""

    instants_us: frozenset[int] = frozenset()
    of_day_us: frozenset[int] = frozenset()

    def __or__(self, other: "Cuts") -> "Cuts":
        return Cuts(self.instants_us | other.instants_us, self.of_day_us | other.of_day_us)


@dataclass(frozen=True)
class ListModel:
    """A model that genai-prices knows under a vendor; ``vendor`` and ``model`` are its ids there."""

    vendor: str
    model: str
    info: ModelInfo

    def cuts(self) -> Cuts:
        """Where its prices may change."""
        found = Cuts()
        for each in self.info.prices if isinstance(self.info.prices, list) else ():
            found |= _cuts(each)
        return found

    def bands(self, at: datetime) -> list[tuple[int, Prices]]:
        """Its prices at an instant, from each number of input tokens on (exclusive, the first -1)."""
        prices = self.info.get_prices(at)
        tiered = [price for price in vars(prices).values() if isinstance(price, TieredPrices)]
        starts = sorted({tier.start for price in tiered for tier in price.tiers})
        return [(over, _prices(prices, over + 1)) for over in (-1, *starts)]


def find(vendor: str, model: str) -> ListModel | None:
    """The listed model that a call's vendor and model name, if there is one."""
    provider = find_provider_by_id(providers, vendor)
    info = provider.find_model(model.lower(), all_providers=providers) if provider else None
    return ListModel(provider.id, info.id, info) if provider and info else None


def vendors_of(model: str) -> list[str]:
    """The vendors (genai-prices' ids) that list a model of this name themselves."""
    return [each.id for each in providers if _lists(each, model)]


@cache
def data_hash() -> str:
    """The SHA-256 of genai-prices' version, prices and units: 64 lower-case hex digits."""
    digest = sha256(VERSION.encode())
    for name in ("data.py", "data_units.py"):
        digest.update(sha256(resources.files(genai_prices).joinpath(name).read_bytes()).digest())
    return digest.hexdigest()


def day_us(day: date) -> int:
    """A day's UTC midnight in microseconds since 1970."""
    return (day - date(1970, 1, 1)).days * DAY_US


def _lists(provider: Provider, model: str) -> bool:
    return provider.find_model(model.lower()) is not None


def _cuts(price: ConditionalPrice) -> Cuts:
    match price.constraint:
        case StartDateConstraint(start_date=start):
            return Cuts(frozenset({day_us(start)}))
        case TimeOfDateConstraint(start_time=start, end_time=end):
            return Cuts(of_day_us=frozenset({_of_day_us(start), _of_day_us(end)}))
        case _:
            return Cuts()


def _of_day_us(value: time) -> int:
    """A time of day, UTC unless it says otherwise, in microseconds of the UTC day."""
    there = datetime.combine(date(1970, 1, 2), value, value.tzinfo or UTC).astimezone(UTC)
    return ((there.hour * 60 + there.minute) * 60 + there.second) * _MICROSECONDS + there.microsecond


def _prices(prices: ModelPrice, input_tokens: int) -> Prices:
    """What a call with so many input tokens is charged; a part without a price as the whole that it is part of."""

    def of(rate: _Rate) -> Fraction | None:
        usd = _tier(rate, input_tokens)
        return None if usd is None else Fraction(usd) * _NANO_PER_USD_OF_MTOK

    whole_input, whole_output = of(prices.input_mtok), of(prices.output_mtok)
    cached, write = of(prices.cache_read_mtok), of(prices.cache_write_mtok)
    reasoning = of(prices.output_reasoning_mtok)
    per_token = (
        whole_input,
        whole_input if cached is None else cached,
        whole_input if write is None else write,
        whole_output,
        whole_output if reasoning is None else reasoning,
    )
    per_call = _tier(prices.requests_kcount, input_tokens) or Decimal(0)
    return Prices(per_token, Fraction(per_call) * _NANO_PER_USD_OF_KCALLS)


def _tier(rate: _Rate, input_tokens: int) -> Decimal | None:
    if not isinstance(rate, TieredPrices):
        return rate
    reached = [tier.price for tier in rate.tiers if input_tokens > tier.start]
    return reached[-1] if reached else rate.base
