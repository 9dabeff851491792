"""A tenant's own price table, as a person writes it: a pydantic model of the YAML or JSON document."""

import json
import re
from datetime import date
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from spendgate.model.canonical import usd_text
from spendgate.model.money import parse_usd
from spendgate.model.policy import Document, Metadata
from spendgate.model.policy_types import Globs, PolicyName, Usd
from spendgate.prices.cards import Prices

MAX_ENTRIES = 1000
_PERCENT = re.compile(r"100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TOKENS = 1_000_000


def _plain_usd(text: str) -> str:
    """One writing for one amount, so that the table's hash does not depend on ``5`` or ``5.00``."""
    return usd_text(parse_usd(text))


def _percent(text: str) -> str:
    if not _PERCENT.fullmatch(text):
        raise ValueError('expected a percentage from 0 to 100 with at most four decimals, such as "12.5"')
    whole, _, fraction = text.partition(".")
    return f"{int(whole)}.{fraction}".rstrip("0").rstrip(".") if fraction else str(int(whole))


def _day(text: str) -> str:
    try:
        sound = _DAY.fullmatch(text) is not None and 1970 <= date.fromisoformat(text).year < 2200
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("expected a day such as 2026-07-01, from 1970 to 2199")
    return text


Dollars = Annotated[Usd, AfterValidator(_plain_usd)]
"""Dollars as a decimal string, at most nine decimals."""
Percent = Annotated[str, AfterValidator(_percent)]
Day = Annotated[str, AfterValidator(_day)]
"""A day of the UTC calendar, ``YYYY-MM-DD``."""


class Match(Document):
    """Which calls an entry prices: fields AND, globs of a field OR; ``(none)`` matches an unknown value."""

    vendor: Globs | None = None
    model: Globs | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.vendor is None and self.model is None:
            raise ValueError("expected vendor, model or both, each a list of globs")
        return self


class PerMillionTokens(Document):
    """Dollars for a million tokens. What is cached or written to the cache is charged as input unless it has a
    price here; reasoning as output."""

    input_usd: Dollars
    output_usd: Dollars
    cached_input_usd: Dollars | None = None
    cache_write_usd: Dollars | None = None
    reasoning_usd: Dollars | None = None


class ListName(Document):
    """A model in the list prices."""

    vendor: PolicyName
    model: PolicyName


class OwnPrice(Document):
    """One entry: whom it prices, from the first instant of ``from`` to that of ``to``, and its price.

    The price is either stated (``per_million_tokens``, ``per_call_usd`` or both; what is not stated is free), or a
    list price (``discount_percent`` off it, ``list_price_of`` where the call's names are not those of the list).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Match
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    per_million_tokens: PerMillionTokens | None = None
    per_call_usd: Dollars | None = None
    discount_percent: Percent | None = None
    list_price_of: ListName | None = None

    @model_validator(mode="after")
    def _has_one_price(self) -> Self:
        stated = self.per_million_tokens is not None or self.per_call_usd is not None
        if stated == self.of_list:
            raise ValueError(
                "expected one price: stated (per_million_tokens, per_call_usd) "
                "or of the list (discount_percent, list_price_of)"
            )
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise ValueError("expected from before to")
        return self

    @property
    def of_list(self) -> bool:
        """Whether the price is a list price."""
        return self.discount_percent is not None or self.list_price_of is not None

    def factor(self) -> Fraction:
        """What is left of a list price."""
        return 1 - Fraction(self.discount_percent or "0") / 100

    def stated(self) -> Prices:
        """The stated prices, nano-USD; parts without a price are charged as what they are part of."""
        per_call = Fraction(parse_usd(self.per_call_usd or "0"))
        tokens = self.per_million_tokens
        if tokens is None:
            return Prices((Fraction(0),) * 5, per_call)
        usd = (
            tokens.input_usd,
            tokens.cached_input_usd or tokens.input_usd,
            tokens.cache_write_usd or tokens.input_usd,
            tokens.output_usd,
            tokens.reasoning_usd or tokens.output_usd,
        )
        return Prices(tuple(Fraction(parse_usd(each), _TOKENS) for each in usd), per_call)


class OwnTable(Document):
    """One price table; of the entries that match a call at its time, the first prices it."""

    apiVersion: Literal["spendgate/v1"]  # noqa: N815 (the field's name in every Kubernetes-style document)
    kind: Literal["Prices"]
    metadata: Metadata
    prices: Annotated[list[OwnPrice], Field(min_length=1, max_length=MAX_ENTRIES)]

    def canonical_bytes(self) -> bytes:
        """UTF-8 JSON, keys sorted, no space, nothing absent: what the book's hash is taken of."""
        fields = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
