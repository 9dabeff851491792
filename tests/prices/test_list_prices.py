"""List prices: what genai-prices itself would charge, rounded once; and no network."""

import socket
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from spendgate.prices.book import PriceBook
from spendgate.prices.cards import Tokens, Why
from tests.prices.books import AT, list_book

LISTED = [(provider.id, model.id) for provider in providers for model in provider.models]
BIG, SMALL = Tokens(300_001, 1_003, 7_001, 3_001, 501), Tokens(11, 7, 3, 2, 1)
times = st.datetimes(datetime(2023, 1, 1), datetime(2027, 6, 1)).map(lambda at: at.replace(tzinfo=UTC))


def charged(vendor: str, model: str, at: datetime, tokens: Tokens) -> int:
    """What genai-prices charges, in nano-USD, rounded half to even."""
    usage = Usage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_write,
        output_reasoning_tokens=tokens.reasoning,
    )
    with localcontext(prec=60):
        total = calc_price(usage, model, provider_id=vendor, genai_request_timestamp=at).total_price
        return int((total * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN))


def says_all(vendor: str, model: str) -> bool:
    """Whether genai-prices finds the model and has a price for all tokens of a call that has input and output."""
    try:
        found = calc_price(Usage(), model, provider_id=vendor, genai_request_timestamp=AT).model_price
    except LookupError:
        return False
    return found.input_mtok is not None and found.output_mtok is not None


@pytest.mark.parametrize("tokens", [BIG, SMALL])
def test_every_listed_model_costs_what_the_list_says_and_nothing_where_it_is_silent(tokens: Tokens) -> None:
    for vendor, model in LISTED:
        price, why = list_book().assess(vendor, model, AT, tokens)
        if says_all(vendor, model):
            assert price is not None, (vendor, model)
            assert price.cost_nano_usd == charged(vendor, model, AT, tokens), (vendor, model)
        else:
            assert price is None, (vendor, model)
            assert why in (Why.NO_PRICE, Why.NO_RATE), (vendor, model)


@given(st.sampled_from(LISTED), times, st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)))
def test_a_price_is_that_of_the_events_own_time(name: tuple[str, str], at: datetime, counts: tuple[int, int]) -> None:
    tokens = Tokens(counts[0], counts[1], counts[0] // 3, counts[0] // 7, counts[1] // 2)
    price = list_book().price(*name, at, tokens)
    assert price is None or price.cost_nano_usd == charged(*name, at, tokens)


CHANGING = [
    (provider.id, model.id) for provider in providers for model in provider.models if isinstance(model.prices, list)
]


@given(st.sampled_from(CHANGING), st.data())
def test_a_price_changes_at_its_instant_and_not_a_microsecond_before(
    name: tuple[str, str], data: st.DataObject
) -> None:
    cuts = list_book().schedule(*name).cuts
    day = data.draw(st.sampled_from(sorted(cuts.instants_us) or [10**15]))
    of_day = data.draw(st.sampled_from([0, *sorted(cuts.of_day_us)]))
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=day + of_day - data.draw(st.integers(-1, 1)))
    price = list_book().price(*name, at, SMALL)
    assert price is None or price.cost_nano_usd == charged(*name, at, SMALL)


def test_a_tier_holds_for_all_tokens_of_a_call_that_is_over_it() -> None:
    name = ("anthropic", "claude-sonnet-4-5", AT)
    at_the_edge, over = (list_book().price(*name, Tokens(count, 0)) for count in (200_000, 200_001))
    assert at_the_edge is not None
    assert at_the_edge.cost_nano_usd == 200_000 * 3_000
    assert over is not None
    assert over.cost_nano_usd == 200_001 * 6_000


def test_cached_tokens_are_charged_once_and_at_their_own_price() -> None:
    price = list_book().price("openai", "gpt-4o", AT, Tokens(1000, 100, cached_input=400))
    assert price is not None
    assert price.cost_nano_usd == 600 * 2_500 + 400 * 1_250 + 100 * 10_000


def test_reasoning_is_part_of_the_output_and_not_charged_again() -> None:
    with_it, without = (list_book().price("openai", "o3", AT, Tokens(10, 100, reasoning=n)) for n in (90, 0))
    assert with_it == without


def test_pricing_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert PriceBook.load().price("openai", "gpt-4o", AT, SMALL) is not None


@pytest.mark.parametrize("name", [("nobody", "gpt-4o"), ("openai", "nothing"), (None, "gpt-4o"), ("openai", None)])
def test_an_unknown_name_has_no_price(name: tuple[str | None, str | None]) -> None:
    assert list_book().assess(*name, AT, SMALL) == (None, Why.NO_PRICE)
