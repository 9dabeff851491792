"""Columns: what numpy prices by the million is, row by row, what one event after the other gives."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from spendgate.ledger.columns import EVENTS
from spendgate.model.event import Event
from spendgate.prices.book import PriceBook
from spendgate.prices.columns import CHUNK_ROWS, reprice
from spendgate.prices.events import Mode, price_events
from spendgate.prices.list_prices import DAY_US
from spendgate.prices.schedule import EPOCH
from spendgate.prices.tally import PriceTally
from tests.prices.books import AT, book, books, events, list_book

some = st.lists(events(), max_size=12)
modes: st.SearchStrategy[Mode] = st.sampled_from(["given", "missing", "recomputed"])
instants = st.none() | st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
CALL = Event(id="1", source="s", tenant="t", time=AT, vendor="openai", model="gpt-4o", input_tokens=8, output_tokens=1)
DEAR = {"match": {"vendor": ["openai"]}, "per_call_usd": "999999999.999999999"}
FINE = {
    "match": {"vendor": ["openai"]},
    "per_million_tokens": {"input_usd": "999.999999999", "output_usd": "0.000000001"},
}
HALVES = {"match": {"vendor": ["openai"]}, "per_million_tokens": {"input_usd": "0.0005", "output_usd": "0"}}
CHANGING = [("openai", "o3"), ("deepseek", "deepseek-chat"), ("deepseek", "deepseek-v4-pro")]
"""Models whose prices change on a day, at hours, and both."""


def table(rows: list[Event], duplicates: frozenset[int] = frozenset()) -> Any:
    return pa.Table.from_pylist([{**asdict(row), "duplicate": i in duplicates} for i, row in enumerate(rows)], EVENTS)


def one_by_one(
    rows: list[Event], prices: PriceBook, mode: Mode, at: datetime | None
) -> tuple[list[int | None], PriceTally]:
    tally = PriceTally()
    return [event.cost_nano_usd for event in price_events(rows, prices, mode, tally, at)], tally


@given(some, books, modes, instants)
@example([CALL], book(DEAR), "recomputed", None)
@example([replace(CALL, input_tokens=2**53 - 1, cached_input_tokens=1)], book(FINE), "recomputed", None)
@example([replace(CALL, input_tokens=9_000_000_000, reasoning_tokens=1), CALL], book(FINE), "recomputed", None)
@example([replace(CALL, input_tokens=4_000_000)], book(FINE), "recomputed", None)
@example([replace(CALL, input_tokens=1, cached_input_tokens=2)], book(), "recomputed", None)
@example([replace(CALL, input_tokens=count) for count in range(8)], book(HALVES), "recomputed", None)
def test_columns_are_priced_as_events_are(
    rows: list[Event], prices: PriceBook, mode: Mode, at: datetime | None
) -> None:
    costs, tally = reprice(table(rows), prices, at, mode)
    assert (costs.to_pylist(), tally) == one_by_one(rows, prices, mode, at)


@pytest.mark.parametrize("name", CHANGING)
def test_a_price_changes_at_the_same_microsecond(name: tuple[str, str]) -> None:
    cuts = list_book().schedule(*name).cuts
    days = [DAY_US, *cuts.instants_us, 1_790_000_000_000_000 // DAY_US * DAY_US]
    times = {day + hour + near for day in days for hour in (0, *cuts.of_day_us) for near in (-1, 0, 1)}
    instants = [EPOCH + timedelta(microseconds=us) for us in sorted(times)]
    rows = [replace(CALL, vendor=name[0], model=name[1], time=instant) for instant in instants]
    costs, tally = reprice(table(rows), list_book())
    assert (costs.to_pylist(), tally) == one_by_one(rows, list_book(), "recomputed", None)
    assert len(set(costs.to_pylist())) > 1


@given(some, st.integers(0, 12))
def test_it_does_not_matter_how_rows_are_cut(rows: list[Event], cut: int) -> None:
    whole = table(rows)
    cut_in_two = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    assert reprice(whole, list_book()) == reprice(cut_in_two, list_book())


def test_more_rows_than_are_worked_on_at_once_are_all_priced() -> None:
    many = pa.concat_tables([table([CALL, replace(CALL, model="none")])] * (CHUNK_ROWS // 2 + 2)).combine_chunks()
    costs, tally = reprice(many, list_book())
    assert costs.null_count == len(many) // 2
    assert tally.total.after_nano_usd == len(many) // 2 * 30_000


def test_a_record_batch_is_priced_as_a_table_is() -> None:
    [batch] = table([CALL]).to_batches()
    assert reprice(batch, list_book()) == reprice(table([CALL]), list_book())


def test_no_rows_are_no_costs() -> None:
    costs, tally = reprice(table([]), list_book())
    assert (len(costs), costs.type, tally) == (0, pa.int64(), PriceTally())


def test_a_repeat_is_priced_and_counted_nowhere() -> None:
    costs, tally = reprice(table([CALL, CALL], frozenset({1})), list_book())
    assert costs.to_pylist() == [30_000, 30_000]
    assert tally.total.calls == 1


def test_names_in_dictionaries_are_read_too() -> None:
    plain = table([CALL, replace(CALL, vendor=None)])
    at = plain.schema.get_field_index("vendor")
    encoded = plain.set_column(at, "vendor", plain.column("vendor").dictionary_encode())
    assert reprice(encoded, list_book()) == reprice(plain, list_book())
