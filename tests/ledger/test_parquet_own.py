"""Whole batches of our own columns are what the row reader makes of them, whatever stands in a cell."""

from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger import reader_parquet
from spendgate.ledger.columns import EVENT_FIELDS, EVENTS
from spendgate.ledger.event_rows import batch_of, events_of
from spendgate.ledger.reader_problem import Refused
from spendgate.ledger.readers import InputError, Reading, ReadOptions
from spendgate.model.event import Event
from tests.ledger.drawn_events import calls
from tests.ledger.reading import read

TIME = datetime(2026, 11, 5, 9, tzinfo=UTC)
CELLS: Mapping[str, list[Any]] = {
    "id": ["e1", "", "two words", None, "(x)", "é", "a" * 128, "a" * 129, "line\n"],
    "source": ["app", "", None, "two words"],
    "tenant": ["acme", "", None, '"'],
    "time": [TIME, None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)],
    "kind": ["call", "outcome", "correction", None, "other", ""],
    "refers_to": ["e0", None, "two words"],
    "team": ["red", None, "", "two words", "<b>"],
    "model": ["gpt-4o", None, "\\"],
    "input_tokens": [0, None, -1, 2**53 - 1, 2**53],
    "cost_nano_usd": [0, None, -1, 2**53 - 1, 2**53],
    "estimate_nano_usd": [None, 5, -5],
    "cost_source": ["provided", "priced", "unpriced", None, "", "guessed"],
    "outcome": [None, "accepted", "great", ""],
    "evidence_status": [None, "present", "lost"],
    "cache_hit": [True, False, None],
    "privacy_mode": [None, "metadata_only", "none"],
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A few rows that are events but for a few cells, with some of our columns."""
    table = pa.Table.from_batches([batch_of(draw(st.lists(calls(), min_size=1, max_size=6)))])
    columns = {name: table.column(name).to_pylist() for name in EVENT_FIELDS.names}
    for name in draw(st.lists(st.sampled_from(sorted(CELLS)), max_size=4)):
        columns[name][draw(st.integers(0, table.num_rows - 1))] = draw(st.sampled_from(CELLS[name]))
    left_out = draw(st.sets(st.sampled_from([n for n in EVENT_FIELDS.names if n not in ("id", "time")]), max_size=4))
    fields = [pa.field(f.name, f.type) for f in EVENT_FIELDS if f.name not in left_out]
    return pa.table([pa.array(columns[f.name], f.type) for f in fields], schema=pa.schema(fields))


def written(table: pa.Table) -> bytes:
    sink = BytesIO()
    pq.write_table(table, sink, row_group_size=3)
    return sink.getvalue()


def in_parts(raw: bytes, options: ReadOptions) -> tuple[list[Event], list[Refused], int]:
    """Events and refused rows, and how many batches went row by row."""
    events: list[Event] = []
    refused: list[Refused] = []
    by_row = 0
    for part in Reading(BytesIO(raw), options).parts(2):
        if isinstance(part, list):
            by_row += 1
            events += [each for each in part if isinstance(each, Event)]
            refused += [each for each in part if isinstance(each, Refused)]
        else:
            events += events_of(part.cast(EVENTS))
    return events, refused, by_row


OPTIONS = st.builds(ReadOptions, tenant=st.none() | st.just("globex"), source=st.sampled_from(["file", "other"]))


@given(tables(), OPTIONS, st.integers(1, 4))
def test_batches_hold_what_the_row_reader_gives(table: pa.Table, options: ReadOptions, rows: int) -> None:
    raw = written(table)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reader_parquet, "BATCH_ROWS", rows)
        events, refused, _ = in_parts(raw, options)
    assert (events, refused) == read(raw, options)


@given(st.lists(calls(), min_size=1, max_size=6))
def test_rows_that_are_all_events_are_taken_whole(events: list[Event]) -> None:
    for event in events:
        event.cost_source = "unpriced" if event.cost_nano_usd is None else "provided"
    found, refused, by_row = in_parts(written(pa.Table.from_batches([batch_of(events)])), ReadOptions())
    assert (found, refused) == (events, [])
    assert by_row == 0


@pytest.mark.parametrize("name", ["time", "cost_nano_usd", "team"])
def test_columns_of_another_type_go_row_by_row(name: str) -> None:
    columns: dict[str, Any] = {"id": ["e1"], "time": [TIME], "cost_nano_usd": [5], "team": ["red"]}
    columns[name] = {"time": [TIME.isoformat()], "cost_nano_usd": [5.0], "team": [7]}[name]
    raw = written(pa.table(columns))
    events, refused, by_row = in_parts(raw, ReadOptions())
    assert by_row == 1
    assert (events, refused) == read(raw)


def test_strict_names_the_row_in_a_batch_too() -> None:
    raw = written(pa.table({"id": ["e1", "e2"], "time": [TIME, TIME], "team": ["red", "two words"]}))
    with pytest.raises(InputError, match="line 2: team"):
        in_parts(raw, ReadOptions(strict=True))
