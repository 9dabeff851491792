"""From Arrow columns of events (``spendgate.ledger.columns``) to the columns that the engine judges."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.columns import CallColumns, Names
from spendgate.engine.rules import Int
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.model.identity import identity_of

NEEDED = ("kind", "time", "received_at", "duplicate", "cost_nano_usd", "input_tokens", "output_tokens")
"""What every run reads, besides the names that its policies look at."""
_US_PER_MS = 1000


def columns_of(batch: Any, names: Mapping[str, Names]) -> CallColumns:
    """The rows of a batch of EVENTS columns. ``names``: by field, who numbers its values.

    A row without ``received_at`` takes its own time for it.
    """
    time_ms = _integers(batch["time"]) // _US_PER_MS
    received = batch["received_at"]
    received_ms = time_ms if received.null_count == len(received) else _received(received, time_ms)
    skipped = _integers(batch["duplicate"]) | is_annotation(batch["kind"])
    costs, inputs, outputs = (_integers(batch[name]) for name in ("cost_nano_usd", "input_tokens", "output_tokens"))
    named = {name: _numbers(batch[name], names[name]) for name in names}
    return CallColumns(time_ms, received_ms, skipped, costs, inputs, outputs, named)


def identities_of(batch: Any) -> Int:
    """The identities of the rows; 64 bits, the highest one as the sign."""
    found = map(identity_of, batch["source"].to_pylist(), batch["id"].to_pylist())
    return np.fromiter(found, np.uint64, len(batch["id"])).view(np.int64)


def _numbers(column: Any, names: Names) -> Int:
    return names.numbers(*dictionary_of(column))


def _integers(column: Any) -> Int:
    """As 64-bit integers, UNKNOWN where null; times in their own unit."""
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    elif pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return _filled(column, UNKNOWN).astype(np.int64, copy=False)


def _filled(column: Any, value: int) -> Int:
    if column.null_count == len(column):
        return np.full(len(column), value, np.int64)
    if column.null_count:
        column = pc.fill_null(column, pa.scalar(value, column.type))
    return cast("Int", column.to_numpy(zero_copy_only=False))


def _received(column: Any, time_ms: Int) -> Int:
    received = _integers(column)
    return received if not column.null_count else np.where(_filled(column.is_null(), 0), time_ms, received)


def is_annotation(kinds: Any) -> Int:
    """1 for each row that is no call."""
    codes, values = dictionary_of(kinds)
    flags = np.array([value != "call" for value in values], np.int64)
    return flags[codes]
