"""Prices on events: three choices, the same events otherwise, and a tally that adds up."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from spendgate.ledger.reader_problem import check_event
from spendgate.model.event import Event
from spendgate.prices.book import PriceBook
from spendgate.prices.cards import Why
from spendgate.prices.events import Mode, price_events
from spendgate.prices.tally import Missing, PriceTally
from tests.prices.books import AT, books, events, list_book

some = st.lists(events(), max_size=8)
modes: st.SearchStrategy[Mode] = st.sampled_from(["given", "missing", "recomputed"])
COST = {"cost_nano_usd", "cost_source"}


def priced(given_events: list[Event], book: PriceBook, mode: Mode) -> tuple[list[Event], PriceTally]:
    tally = PriceTally()
    return list(price_events(given_events, book, mode, tally)), tally


@given(some, books, modes)
def test_only_a_calls_cost_changes_and_the_log_would_take_it(drawn: list[Event], book: PriceBook, mode: Mode) -> None:
    after, _ = priced(drawn, book, mode)
    for event, was in zip(after, drawn, strict=True):
        check_event(event)
        assert {k: v for k, v in asdict(event).items() if k not in COST} == {
            k: v for k, v in asdict(was).items() if k not in COST
        }
        assert was.kind == "call" or event == was


@given(some, books)
def test_a_given_cost_stays_unless_all_are_recomputed(drawn: list[Event], book: PriceBook) -> None:
    for mode in ("given", "missing"):
        after, _ = priced(drawn, book, mode)
        assert all(was.cost_nano_usd in (None, event.cost_nano_usd) for event, was in zip(after, drawn, strict=True))
    recomputed, _ = priced(drawn, book, "recomputed")
    forgotten = [replace(each, cost_nano_usd=None) if each.kind == "call" else each for each in drawn]
    assert recomputed == priced(forgotten, book, "missing")[0]


@given(some, books, modes)
def test_the_tally_adds_up(drawn: list[Event], book: PriceBook, mode: Mode) -> None:
    after, tally = priced(drawn, book, mode)
    calls = [(was, event) for was, event in zip(drawn, after, strict=True) if was.kind == "call"]
    total = tally.total
    assert total.calls == len(calls)
    assert total.before_nano_usd == sum(was.cost_nano_usd or 0 for was, _ in calls)
    assert total.after_nano_usd == sum(event.cost_nano_usd or 0 for _, event in calls)
    assert total.unpriced_after == sum(event.cost_source == "unpriced" for _, event in calls)
    assert total.unpriced_after == sum(each.calls for each in tally.unpriced.values())


def test_what_has_no_price_is_listed_with_its_reason_and_its_tokens() -> None:
    call = Event(id="1", source="s", tenant="t", time=AT, vendor="own", model="m", input_tokens=5, output_tokens=2)
    _, tally = priced(
        [call, call, replace(call, vendor="openai", model="gpt-4o", input_tokens=None)], list_book(), "missing"
    )
    assert [(tuple(each), found.calls, found.input_tokens, found.output_tokens) for each, found in tally.missing()] == [
        (("own", "m", Why.NO_PRICE), 2, 10, 4),
        (("openai", "gpt-4o", Why.NO_TOKENS), 1, 0, 2),
    ]
    assert tally.as_dict()["unpriced"][0]["why"] == "no_price"


def test_given_prices_nothing_and_lists_what_has_no_cost() -> None:
    call = Event(
        id="1", source="s", tenant="t", time=AT, vendor="openai", model="gpt-4o", input_tokens=5, output_tokens=2
    )
    [after], tally = priced([call], list_book(), "given")
    assert (after.cost_nano_usd, after.cost_source) == (None, "unpriced")
    assert list(tally.unpriced) == [Missing("openai", "gpt-4o", Why.NOT_GIVEN)]


def test_the_report_has_the_largest_difference_first() -> None:
    call = Event(
        id="1", source="s", tenant="t", time=AT, vendor="openai", model="gpt-4o", input_tokens=4, output_tokens=0
    )
    dear = replace(call, model="o3", cost_nano_usd=10**6)
    _, tally = priced([replace(call, cost_nano_usd=9_999), dear], list_book(), "recomputed")
    assert [(pair, change.difference_nano_usd) for pair, change in tally.differences()] == [
        (("openai", "o3"), 4 * 2000 - 10**6),
        (("openai", "gpt-4o"), 1),
    ]
