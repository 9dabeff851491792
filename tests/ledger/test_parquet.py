"""Parquet: our own columns come back whole, others by name or mapping, and half a file is said to be one."""

from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.event_rows import batch_of
from spendgate.ledger.reader_options import parse_mapping
from spendgate.ledger.readers import InputError, Reading, ReadOptions, read_events
from spendgate.model.event import Event
from tests.ledger.drawn_events import calls
from tests.ledger.reading import is_taken, read

TIME = datetime(2026, 11, 5, 9, tzinfo=UTC)


def parquet(table: Any) -> bytes:
    sink = BytesIO()
    pq.write_table(table, sink, row_group_size=4)
    return sink.getvalue()


def table(**columns: list[Any]) -> bytes:
    return parquet(pa.table(columns))


@given(st.lists(calls(), min_size=1, max_size=10))
def test_our_own_columns_come_back(events: list[Event]) -> None:
    for event in events:
        event.cost_source = "unpriced" if event.cost_nano_usd is None else "provided"
    assert read(parquet(pa.Table.from_batches([batch_of(events)]))) == (events, [])


def test_other_columns_are_mapped() -> None:
    raw = table(When=[TIME, TIME], Team=["legal", "two words"], Cost=[0.1, 0.25], Tokens=[12.0, 3.0])
    options = ReadOptions(mapping=parse_mapping("time=When,team=Team,cost_usd=Cost,input_tokens=Tokens"))
    [event], [refused] = read(raw, options)
    assert is_taken(event)
    assert (event.team, event.cost_nano_usd, event.input_tokens, event.time) == ("legal", 100_000_000, 12, TIME)
    assert (refused.line, refused.field, refused.cost_nano_usd) == (2, "team", 250_000_000)


def test_rows_without_ids_are_given_the_same_each_time_and_others_in_another_file() -> None:
    one, other = table(time=[TIME] * 3), table(time=[TIME] * 4)
    assert read(one) == read(one)
    ids = [event.id for event in read(one)[0] + read(other)[0]]
    assert len(set(ids)) == 7


@given(cut=st.integers(4, 400))
def test_half_a_file_is_an_error(cut: int) -> None:
    raw = table(time=[TIME] * 10, team=["legal"] * 10)
    with pytest.raises(InputError, match="whole Parquet file"):
        read(raw[:-cut])


def test_a_file_that_is_no_parquet_is_an_error() -> None:
    with pytest.raises(InputError, match="whole Parquet file"):
        read(b"time\n", ReadOptions(format="parquet"))


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [("", "time column, or --map time=COLUMN; the nearest is Timestamp"), ("time=Timestmp", "nearest is Timestamp")],
)
def test_a_column_that_is_missing_is_named_with_the_nearest(mapping: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(table(Timestamp=[TIME]), ReadOptions(mapping=parse_mapping(mapping)))


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(table(time=[TIME], prompt=["SENTINEL secret"]))
    with path.open("rb") as stream:
        reading = Reading(stream, ReadOptions())
        assert "SENTINEL" not in repr(list(reading))
        assert (reading.format, reading.ignored) == ("parquet", ["prompt"])
    assert len(list(read_events(path, ReadOptions()))) == 1
