"""Exported events and decisions, read back with the places at which they stood: Parquet by the ending, else JSON lines.

All of these raise InputError for what is no export of ours, and OSError.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowInvalid

from spendgate.ledger.columns import EVENTS
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.event_rows import Place, batch_of
from spendgate.ledger.own_exports import PLACED
from spendgate.ledger.reader_problem import InputError
from spendgate.ledger.record_columns import DECISIONS
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.unreadable import UNREADABLE

ROWS = 65_536
Row = TypeVar("Row")


def exported_decisions(path: Path) -> Iterator[list[Decision]]:
    """By parts, in the order of the file."""
    if path.suffix.lower() == ".parquet":
        yield from (decisions_of(batch) for batch in _parquet(path, "decisions", DECISIONS, _MAY_LACK))
        return
    yield from _cut(_decision(line, number) for line, number in _lines(path))


def _decision(line: bytes, number: int) -> Decision:
    try:
        return _read_decision(line)
    except UNREADABLE:
        raise InputError(f"decisions: line {number}: expected a decision, as `spendgate export` writes it") from None


def exported_events(path: Path) -> Iterator[Any]:
    """Batches of ``columns.EVENTS``, in the order of the file."""
    if path.suffix.lower() == ".parquet":
        yield from _parquet(path, "events", EVENTS)
        return
    for part in _cut(_event(line, number) for line, number in _lines(path)):
        yield batch_of([event for event, _ in part], [place for _, place in part])


class _Position(msgspec.Struct):
    topic_id: str
    partition: int
    offset: int
    index: int


class _Placed(msgspec.Struct):
    """What stands beside an event's own fields in a JSON line."""

    received_at: datetime | None = None
    duplicate: bool = False
    position: _Position | None = None


_read_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_place = msgspec.json.Decoder(_Placed).decode
_read_decision = msgspec.json.Decoder(Decision).decode
_read_event = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode


def _event(line: bytes, number: int) -> tuple[Event, Place]:
    try:
        own = {name: value for name, value in _read_fields(line).items() if name not in PLACED}
        event, said = _read_event(_encode(own)), _read_place(line)
    except UNREADABLE:
        raise InputError(f"events: line {number}: expected an event, as `spendgate export` writes it") from None
    at = said.position
    where = Place() if at is None else Place(at.topic_id, at.partition, at.offset, at.index, said.received_at)
    return event, msgspec.structs.replace(where, duplicate=said.duplicate)


_MAY_LACK = frozenset({"check_id"})
"""Columns that exports of an older version do not have."""


def _parquet(path: Path, table: str, schema: pa.Schema, may_lack: frozenset[str] = frozenset()) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path) as file:
            lacking = may_lack - set(file.schema_arrow.names)
            for batch in file.iter_batches(ROWS):
                columns = [
                    pa.nulls(batch.num_rows, each.type) if each.name in lacking else batch[each.name].cast(each.type)
                    for each in schema
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
    except (ArrowInvalid, KeyError):
        raise InputError(f"{table}: expected a Parquet file, as `spendgate export` writes it") from None


def _lines(path: Path) -> Iterator[tuple[bytes, int]]:
    with path.open("rb") as lines:
        yield from ((line, number) for number, line in enumerate(lines, 1) if line.strip())


def _cut(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while part := list(islice(rows, ROWS)):
        yield part
