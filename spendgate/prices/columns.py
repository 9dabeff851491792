"""Prices on columns of events, millions at a time; row by row the same as ``price_events``, to the nano-USD."""

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.prices.book import PriceBook
from spendgate.prices.card_table import Bools, CardTable, Counts, Ints
from spendgate.prices.cards import Why
from spendgate.prices.column_tally import tally_of
from spendgate.prices.events import Mode
from spendgate.prices.list_prices import DAY_US, Cuts
from spendgate.prices.schedule import instant_us
from spendgate.prices.tally import Pair, PriceTally

CHUNK_ROWS = 1 << 17
"""Rows at a time: what is worked on stays in the processor's cache, whatever the table's size."""
_TIME = pa.timestamp("us", "UTC")


def reprice(
    events: pa.RecordBatch | pa.Table, book: PriceBook, at: datetime | None = None, mode: Mode = "recomputed"
) -> tuple[pa.Int64Array, PriceTally]:
    """The column ``cost_nano_usd`` as the book has it, null where unpriced, and what that changed.

    ``events``: columns by the names of an event's fields, and ``duplicate`` if it is there. ``at``: the aware
    instant whose prices are used, in place of each call's own time. Rows that are no calls keep their cost;
    they and repeats are not in the tally.
    """
    table = events if isinstance(events, pa.Table) else pa.Table.from_batches([events])
    tally = PriceTally()
    parts = []
    for batch in table.to_batches(max_chunksize=CHUNK_ROWS):
        if batch.num_rows:
            costs, found = _reprice(batch, book, at, mode)
            parts.append(costs)
            tally.merge(found)
    return (pa.concat_arrays(parts) if parts else pa.array([], pa.int64())), tally


def _reprice(batch: Any, book: PriceBook, at: datetime | None, mode: Mode) -> tuple[pa.Int64Array, PriceTally]:
    pair_of, pairs = _pairs(batch)
    given, no_given = _whole_numbers(batch, "cost_nano_usd")
    calls = _bools(pc.equal(batch.column("kind"), "call"))
    counts = _counts(batch)
    costs, why = given.copy(), np.where(no_given, Why.NOT_GIVEN, Why.PRICED).astype(np.int8)
    if mode != "given":
        which, cards = _cards(batch, book, at, pair_of, pairs)
        from_book, book_why = CardTable(cards).assess(which, counts)
        chosen = calls & (no_given | (mode == "recomputed"))
        costs[chosen], why[chosen] = from_book[chosen], book_why[chosen]
    priced = np.where(calls, why == Why.PRICED, ~no_given)
    counted = calls & ~_bools(batch.column("duplicate")) if "duplicate" in batch.schema.names else calls
    rows = (pair_of, given, no_given, costs, why, counts.input, counts.output)
    tally = tally_of(pairs, *(column[counted] for column in rows))
    return pa.array(costs, mask=~priced), tally


def _cards(batch: Any, book: PriceBook, at: datetime | None, pair_of: Ints, pairs: list[Pair]) -> tuple[Ints, Any]:
    """Cards, and for each row which of them prices it: one for each pair and period that occurs."""
    schedules = [book.schedule(vendor, model) for vendor, model in pairs]
    if at is not None:
        return pair_of, [schedule.card_at(instant_us(at)) for schedule in schedules]
    times_us = _numpy(batch.column("time").cast(_TIME).cast(pa.int64()))
    cuts = Cuts()
    for schedule in schedules:
        cuts |= schedule.cuts
    which, firsts = _factorised(_periods(times_us, cuts, pair_of))
    return which, [schedules[pair_of[row]].card_at(int(times_us[row])) for row in firsts]


def _periods(times_us: Ints, cuts: Cuts, pair_of: Ints) -> Ints:
    """A number for each pair and period between all cuts: finer than a pair needs, and never coarser."""
    instants = np.array(sorted(cuts.instants_us), np.int64)
    of_day = np.array(sorted(cuts.of_day_us), np.int64)
    periods = pair_of * (len(instants) + 1) + np.searchsorted(instants, times_us, "right")
    return periods * (len(of_day) + 1) + np.searchsorted(of_day, times_us % DAY_US, "right")


def _pairs(batch: Any) -> tuple[Ints, list[Pair]]:
    """For each row the number of its pair of vendor and model, and the pairs by number."""
    vendor_of, vendors = _names(batch.column("vendor"))
    model_of, models = _names(batch.column("model"))
    pair_of, firsts = _factorised(vendor_of * len(models) + model_of)
    return pair_of, [(vendors[vendor_of[row]], models[model_of[row]]) for row in firsts]


def _names(column: Any) -> tuple[Ints, list[str | None]]:
    encoded = column.cast(pa.string()).dictionary_encode()
    values = encoded.dictionary.to_pylist()
    return _numpy(encoded.indices.cast(pa.int64()).fill_null(len(values))), [*values, None]


def _factorised(values: Ints) -> tuple[Ints, Ints]:
    """``values`` by number of first occurrence, and the first row of each."""
    codes = _numpy(pa.array(values).dictionary_encode().indices.cast(pa.int64()))
    firsts = np.empty(codes.max() + 1, np.int64)
    firsts[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return codes, firsts


def _counts(batch: Any) -> Counts:
    no_input, no_output = (_bools(batch.column(f"{side}_tokens").is_null()) for side in ("input", "output"))
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
    return Counts(no_input, no_output, *(_whole_numbers(batch, name)[0] for name in names))


def _whole_numbers(batch: Any, name: str) -> tuple[Ints, Bools]:
    """A column with 0 for null, and where it was null."""
    column = batch.column(name)
    return _numpy(column.fill_null(0)), _bools(column.is_null())


def _bools(array: Any) -> Bools:
    found: Bools = array.to_numpy(zero_copy_only=False)
    return found


def _numpy(array: Any) -> Ints:
    found: Ints = array.to_numpy(zero_copy_only=False)
    return found
