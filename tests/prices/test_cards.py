"""Cards: exact, rounded once, and no cost where something that it needs is not known."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.prices.cards import Card, Origin, Prices, Tokens, Why, assess, card_of

rates = st.fractions(0, 10**6, max_denominator=10**9)


def card(*per_token: Fraction | None, per_call: Fraction = Fraction(0)) -> Card:
    made = card_of([(-1, Prices(per_token, per_call))], Origin(own=0))
    if made is None:
        raise ValueError("expected a price")
    return made


@given(st.lists(rates, min_size=5, max_size=5), rates, st.lists(st.integers(0, 10**6), min_size=5, max_size=5))
def test_a_cost_is_the_exact_sum_rounded_once_half_to_even(
    each: list[Fraction], per_call: Fraction, counts: list[int]
) -> None:
    plain, cached, write, said, reasoning = counts
    tokens = Tokens(plain + cached + write, said + reasoning, cached, write, reasoning)
    exact = per_call + sum(count * rate for count, rate in zip(counts, each, strict=True))
    cost, why = assess(card(*each, per_call=per_call), tokens)
    assert (cost, why) == ((round(exact), Why.PRICED) if round(exact) < 2**53 else (None, Why.TOO_LARGE))


@pytest.mark.parametrize(("count", "cost"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_a_half_goes_to_the_even_neighbour(count: int, cost: int) -> None:
    assert assess(card(*[Fraction(1, 2)] * 5), Tokens(count, 0)) == (cost, Why.PRICED)


PRICED = card(*[Fraction(3)] * 5)
EMBEDDING = card(*[Fraction(3)] * 3, None, None)
BY_THE_CALL = card(*[Fraction(0)] * 5, per_call=Fraction(9))


@pytest.mark.parametrize(
    ("prices", "tokens", "expected"),
    [
        (PRICED, Tokens(None, 1), (None, Why.NO_TOKENS)),
        (PRICED, Tokens(1, None), (None, Why.NO_TOKENS)),
        (PRICED, Tokens(0, 0), (0, Why.PRICED)),
        (PRICED, Tokens(1, 1, cached_input=1, cache_write=1), (None, Why.CONTRADICTION)),
        (PRICED, Tokens(1, 1, reasoning=2), (None, Why.CONTRADICTION)),
        (EMBEDDING, Tokens(5), (15, Why.PRICED)),
        (EMBEDDING, Tokens(5, 1), (None, Why.NO_RATE)),
        (BY_THE_CALL, Tokens(), (9, Why.PRICED)),
        (None, Tokens(1, 1), (None, Why.NO_PRICE)),
    ],
)
def test_what_is_not_known_is_never_taken_for_zero(
    prices: Card | None, tokens: Tokens, expected: tuple[int | None, Why]
) -> None:
    assert assess(prices, tokens) == expected


def test_prices_that_say_nothing_are_no_card() -> None:
    assert card_of([(-1, Prices((None,) * 5))], Origin()) is None
