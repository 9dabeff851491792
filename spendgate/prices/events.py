"""Prices on events, one after the other: for the door and for ``send``, before the log."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from spendgate.model.event import Event
from spendgate.prices.book import PriceBook
from spendgate.prices.cards import Tokens, Why
from spendgate.prices.tally import Change, Missing, PriceTally, Unpriced

Mode = Literal["given", "missing", "recomputed"]
"""``given``: the cost that the source gave, or none. ``missing``: that, and the book's where it gave none.
``recomputed``: the book's for every call; what the book cannot price is unpriced, whatever the source said."""


def price_events(
    events: Iterable[Event], book: PriceBook, mode: Mode, tally: PriceTally, at: datetime | None = None
) -> Iterator[Event]:
    """The events with their costs, in their order; ``tally`` is added to as they pass.

    ``at``: the aware instant whose prices are used, in place of each call's own time. A cost from the book is
    ``priced``, a call without one ``unpriced``; a cost that stays keeps its ``cost_source``. Annotations pass as
    they are.
    """
    for event in events:
        if event.kind != "call":
            yield event
            continue
        priced, why = _price(event, book, mode, at)
        _count(tally, event, priced, why)
        yield priced


def _price(event: Event, book: PriceBook, mode: Mode, at: datetime | None) -> tuple[Event, Why]:
    if event.cost_nano_usd is not None and mode != "recomputed":
        return event, Why.PRICED
    if mode == "given":
        return replace(event, cost_source="unpriced"), Why.NOT_GIVEN
    price, why = book.assess(event.vendor, event.model, at or event.time, tokens_of(event))
    if price is None:
        return replace(event, cost_nano_usd=None, cost_source="unpriced"), why
    return replace(event, cost_nano_usd=price.cost_nano_usd, cost_source="priced"), why


def tokens_of(event: Event) -> Tokens:
    """The event's counts, as it has them."""
    return Tokens(
        event.input_tokens,
        event.output_tokens,
        event.cached_input_tokens,
        event.cache_write_tokens,
        event.reasoning_tokens,
    )


def _count(tally: PriceTally, before: Event, after: Event, why: Why) -> None:
    change = Change(
        1,
        before.cost_nano_usd or 0,
        after.cost_nano_usd or 0,
        int(before.cost_nano_usd is None),
        int(after.cost_nano_usd is None),
    )
    tally.add_change((before.vendor, before.model), change)
    if why != Why.PRICED:
        unpriced = Unpriced(1, before.input_tokens or 0, before.output_tokens or 0)
        tally.add_unpriced(Missing(before.vendor, before.model, why), unpriced)
