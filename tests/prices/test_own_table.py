"""A tenant's own table: the first match wins, days are half open, and nothing unknown passes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from spendgate.prices.book import PriceBook
from spendgate.prices.cards import Tokens, Why
from spendgate.prices.own_source import PriceErrors, check_own, read_own
from tests.prices.books import AT, book, list_book

EXAMPLE = Path(__file__).parents[2] / "examples" / "prices" / "acme.yaml"
ONE = Tokens(1, 0)
HEAD = "apiVersion: spendgate/v1\nkind: Prices\nmetadata: {name: own}\nprices:\n"


def flat(usd: str, **match: list[str]) -> dict[str, Any]:
    return {"match": match, "per_million_tokens": {"input_usd": usd, "output_usd": usd}}


def cost(prices: PriceBook, vendor: str | None, model: str | None, at: datetime = AT, tokens: Tokens = ONE) -> int:
    price = prices.price(vendor, model, at, tokens)
    return -1 if price is None else price.cost_nano_usd


def test_the_first_entry_that_matches_prices_the_call() -> None:
    prices = book(flat("1", model=["a-*"]), flat("2", vendor=["v"]), flat("3", model=["*"]))
    assert [cost(prices, *name) for name in [("v", "a-1"), ("v", "b"), ("w", "b"), ("w", None)]] == [
        1000,
        2000,
        3000,
        -1,
    ]


def test_what_no_entry_matches_has_the_list_price() -> None:
    assert cost(book(flat("1", vendor=["other"])), "openai", "gpt-4o") == 2500


def test_none_matches_an_unknown_name_and_a_glob_does_not() -> None:
    assert cost(book(flat("1", vendor=["(none)"])), None, "m") == 1000
    assert cost(book(flat("1", vendor=["*"])), None, "m") == -1


def test_an_entry_holds_from_its_first_day_to_before_its_last() -> None:
    prices = book({**flat("1", vendor=["v"]), "from": "2026-03-01", "to": "2026-04-01"})
    midnight, before = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 2, 28, 23, 59, 59, 999_999, UTC)
    last, after = datetime(2026, 3, 31, 23, 59, 59, 999_999, UTC), datetime(2026, 4, 1, tzinfo=UTC)
    assert [cost(prices, "v", "m", at) for at in (before, midnight, last, after)] == [-1, 1000, 1000, -1]


def test_a_discount_is_taken_off_the_list_price_with_its_tiers_and_parts() -> None:
    prices = book({"match": {"vendor": ["anthropic"]}, "discount_percent": "12.5"})
    for count in (200_000, 200_001):
        tokens = Tokens(count, 8, 1000, 80, 4)
        listed = cost(list_book(), "anthropic", "claude-sonnet-4-5", AT, tokens)
        assert cost(prices, "anthropic", "claude-sonnet-4-5", AT, tokens) * 8 == listed * 7


def test_a_discount_on_what_has_no_list_price_is_no_price() -> None:
    prices = book({"match": {"vendor": ["own"]}, "discount_percent": "100"}, flat("1", vendor=["own"]))
    assert prices.assess("own", "m", AT, ONE) == (None, Why.NO_PRICE)


def test_a_name_of_ones_own_can_have_a_list_price() -> None:
    named = {"match": {"model": ["chat-prod"]}, "list_price_of": {"vendor": "azure", "model": "gpt-4o"}}
    assert cost(book(named), "azure", "chat-prod") == cost(list_book(), "azure", "gpt-4o") == 2500


def test_a_stated_zero_is_a_price() -> None:
    assert cost(book(flat("0", vendor=["own"])), "own", "m", AT, Tokens(5, 5)) == 0


def test_a_part_without_a_price_costs_what_the_whole_costs() -> None:
    entry = flat("1", vendor=["own"])
    entry["per_million_tokens"]["cached_input_usd"] = "0"
    assert cost(book(entry), "own", "m", AT, Tokens(10, 10, 4, 3, 2)) == 16 * 1000


def test_a_price_says_where_it_comes_from() -> None:
    prices = book(flat("1", vendor=["own"]), {"match": {"vendor": ["openai"]}, "discount_percent": "10"})
    found = [
        prices.price(*name, AT, Tokens(1, 1))
        for name in [("own", "m"), ("openai", "gpt-4o"), ("google", "gemini-2.5-pro")]
    ]
    assert [str(price.origin) for price in found if price] == [
        "own prices[0]",
        "own prices[1]: list price of openai gpt-4o less 10%",
        "list price of google gemini-2.5-pro",
    ]


def test_the_example_is_sound() -> None:
    prices = PriceBook.load(EXAMPLE)
    assert cost(prices, "openai", "gpt-4o", AT, Tokens(8, 0)) == 17_500
    assert cost(prices, "self-hosted", "llama-70b", AT, Tokens(100, 100)) == 100_000 + 8_000 + 24_000
    assert cost(prices, "self-hosted", "embed-small", AT, Tokens(100)) == 0
    assert cost(prices, "self-hosted", "embed-large", AT, Tokens(100)) == -1


def test_the_hash_names_what_prices_depend_on_and_nothing_else() -> None:
    entry = flat("1", vendor=["own"])
    same = flat("1.00", vendor=["own"])
    assert book(entry).hash == book(same).hash
    assert len({book(entry).hash, book(flat("2", vendor=["own"])).hash, book().hash}) == 3


DOLLARS = 'expected dollars as a quoted string, such as "2.50"'
DECIMAL = 'expected dollars as a decimal, such as "500" or "0.25"'
QUOTED = 'expected a percentage as a quoted string, such as "12.5"'
PERCENT = 'expected a percentage from 0 to 100 with at most four decimals, such as "12.5"'
DAY = "expected a day such as 2026-07-01, from 1970 to 2199"
NAMES = "expected vendor, model or both, each a list of globs"
UNKNOWN = "unknown field (did you mean `discount_percent`?)"
ONE_PRICE = (
    "expected one price: stated (per_million_tokens, per_call_usd) or of the list (discount_percent, list_price_of)"
)


@pytest.mark.parametrize(
    ("entry", "field", "expected"),
    [
        ("{match: {vendor: [v]}, ^discont_percent: '5'}", ".discont_percent", UNKNOWN),
        ("{match: {vendor: [v]}, per_call_usd: ^0.5}", ".per_call_usd", DOLLARS),
        ("{match: {vendor: [v]}, per_call_usd: ^'-1'}", ".per_call_usd", DECIMAL),
        ("{match: {vendor: [v]}, discount_percent: ^5}", ".discount_percent", QUOTED),
        ("{match: {vendor: [v]}, discount_percent: ^'101'}", ".discount_percent", PERCENT),
        ("{match: {vendor: [v]}, per_call_usd: '1', from: ^2026-02-30}", ".from", DAY),
        ("^{match: {vendor: [v]}, per_call_usd: '1', from: 2026-02-03, to: 2026-02-03}", "", "expected from before to"),
        ("{match: ^{}, per_call_usd: '1'}", ".match", NAMES),
        ("^{match: {vendor: [v]}}", "", ONE_PRICE),
        ("^{match: {vendor: [v]}, per_call_usd: '1', discount_percent: '5'}", "", ONE_PRICE),
        (
            "{match: {vendor: [v]}, per_million_tokens: ^{input_usd: '1'}}",
            ".per_million_tokens.output_usd",
            "required, and it is not there",
        ),
    ],
)
def test_an_error_names_its_place_its_field_and_what_was_expected(entry: str, field: str, expected: str) -> None:
    line = f"  - {entry}"
    with pytest.raises(PriceErrors) as caught:
        read_own(f"{HEAD}{line.replace('^', '')}\n".encode(), "own.yaml")
    assert str(caught.value) == f"own.yaml:5:{line.index('^') + 1}: prices[0]{field}: {expected}"


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"a: [", b"[]", b"{}", b"---\n{}\n---\n{}\n", b" " * (1 << 20) + b"  ", b"a: &x 1\nb: *x"]
)
def test_what_is_no_table_is_refused_in_words(raw: bytes) -> None:
    table, problems = check_own(raw)
    assert table is None
    assert all(
        "expected" in problem.expected or "required" in problem.expected or problem.field for problem in problems
    )
    assert problems
