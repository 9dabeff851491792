"""A card of prices, and what tokens cost under it: integers all the way, rounded once, half to even, to nano-USD.

How the counts of an event fit together: ``cached_input_tokens`` and ``cache_write_tokens`` are parts of
``input_tokens``, ``reasoning_tokens`` of ``output_tokens``. Each token is charged once, at the price of its own kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from spendgate.model.money import MAX_COST_NANO_USD

KINDS = ("input", "cached_input", "cache_write", "output", "reasoning")
"""The kinds of tokens that have a price of their own; ``input`` and ``output`` are what the other parts leave."""


class Tokens(NamedTuple):
    """The counts of an event, as it has them. None is unknown; an unknown part of a known whole is taken for 0."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Why(IntEnum):
    """Why a call has no price. The first that holds is told."""

    PRICED = 0
    NO_PRICE = 1
    """No own entry and no list price for its vendor and model."""
    CONTRADICTION = 2
    """The parts of its tokens are more than the whole."""
    NO_TOKENS = 3
    """A count that its price needs is not known."""
    NO_RATE = 4
    """Tokens of a kind for which its price says nothing."""
    TOO_LARGE = 5
    """More than an event's cost can be."""
    NOT_GIVEN = 6
    """The source gave no cost, and nothing else was asked for."""


@dataclass(frozen=True)
class Origin:
    """Where a price comes from: ``own`` is the entry's number in the tenant's table, from 0; ``vendor`` and
    ``model`` are genai-prices' ids of a list price; ``discount_percent`` is what the entry takes off it."""

    own: int | None = None
    vendor: str | None = None
    model: str | None = None
    discount_percent: str | None = None

    def __str__(self) -> str:
        listed = f"list price of {self.vendor} {self.model}" if self.vendor else ""
        less = f" less {self.discount_percent}%" if self.discount_percent else ""
        own = f"own prices[{self.own}]" if self.own is not None else ""
        return ": ".join(part for part in (own, listed + less) if part)


@dataclass(frozen=True)
class Prices:
    """Nano-USD for a token of each of ``KINDS`` (None: no price is known) and for the call itself."""

    per_token: tuple[Fraction | None, ...]
    per_call: Fraction = Fraction(0)

    def times(self, factor: Fraction) -> "Prices":
        """All of them multiplied."""
        each = tuple(None if price is None else price * factor for price in self.per_token)
        return Prices(each, self.per_call * factor)


@dataclass(frozen=True, slots=True)
class Band:
    """Prices of calls with more than ``over`` input tokens, as numerators over the card's ``scale``."""

    over: int
    per_token: tuple[int | None, ...]
    per_call: int


@dataclass(frozen=True, slots=True)
class Card:
    """The prices of one vendor's model in one period. ``bands`` ascend; the first is over -1, so it always holds.

    A tier is a cliff: all tokens of a call are charged by the last band that its input tokens, cached ones
    included, are over. That is how vendors charge, and how genai-prices reads its tiers.
    """

    bands: tuple[Band, ...]
    scale: int
    origin: Origin

    @property
    def needs_input(self) -> bool:
        """Whether a cost depends on the input tokens; nothing but a stated zero frees from knowing them."""
        return len(self.bands) > 1 or any(rate != 0 for rate in self.bands[0].per_token[:3])

    @property
    def needs_output(self) -> bool:
        """Whether output tokens cost something; a model without a price for them is taken to have none."""
        return any(rate for band in self.bands for rate in band.per_token[3:])


def card_of(bands: Sequence[tuple[int, Prices]], origin: Origin) -> Card | None:
    """A card over one common scale; None if it would price nothing at all."""
    priced = [price for _, each in bands for price in (*each.per_token, each.per_call) if price is not None]
    if all(price is None for _, each in bands for price in each.per_token) and not any(priced):
        return None
    scale = lcm(*(price.denominator for price in priced))
    scaled = tuple(
        Band(over, tuple(None if p is None else int(p * scale) for p in each.per_token), int(each.per_call * scale))
        for over, each in bands
    )
    return Card(scaled, scale, origin)


def assess(card: Card | None, tokens: Tokens) -> tuple[int | None, Why]:
    """The cost of a call in nano-USD, or None and why there is none."""
    if card is None:
        return None, Why.NO_PRICE
    counts = _counts(tokens)
    if min(counts) < 0:
        return None, Why.CONTRADICTION
    if (tokens.input is None and card.needs_input) or (tokens.output is None and card.needs_output):
        return None, Why.NO_TOKENS
    band = _band(card, tokens.input or 0)
    if any(count and rate is None for count, rate in zip(counts, band.per_token, strict=True)):
        return None, Why.NO_RATE
    total = band.per_call + sum(n * rate for n, rate in zip(counts, band.per_token, strict=True) if rate is not None)
    cost = _half_even(total, card.scale)
    return (cost, Why.PRICED) if cost <= MAX_COST_NANO_USD else (None, Why.TOO_LARGE)


def _counts(tokens: Tokens) -> tuple[int, ...]:
    """Tokens of each of ``KINDS``; below 0 where the parts are more than a known whole."""
    cached, write = (tokens.cached_input or 0, tokens.cache_write or 0) if tokens.input is not None else (0, 0)
    reasoning = (tokens.reasoning or 0) if tokens.output is not None else 0
    return (tokens.input or 0) - cached - write, cached, write, (tokens.output or 0) - reasoning, reasoning


def _band(card: Card, input_tokens: int) -> Band:
    return next(band for band in reversed(card.bands) if input_tokens > band.over)


def _half_even(numerator: int, scale: int) -> int:
    whole, rest = divmod(numerator, scale)
    return whole + (2 * rest > scale or (2 * rest == scale and whole % 2 == 1))
