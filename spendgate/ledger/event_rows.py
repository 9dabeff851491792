"""Events into Arrow columns and back, exactly."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from spendgate.ledger.arrow_values import values_of
from spendgate.ledger.columns import EVENT_FIELDS, EVENTS, PLACE
from spendgate.model.event import Event

_fields_of = msgspec.structs.astuple


class Place(Struct, frozen=True, gc=False):
    """Where an event stands in the log: the message's offset, and the index in the message.

    ``received_at`` is the broker's append time, to the millisecond. ``duplicate``: see ``columns.PLACE``.
    """

    topic_id: str | None = None
    partition: int | None = None
    offset: int | None = None
    index: int | None = None
    received_at: datetime | None = None
    duplicate: bool = False


NOWHERE = Place()
"""The place of an event that was never in a log."""


def batch_of(events: Sequence[Event], places: Sequence[Place] | None = None) -> pa.RecordBatch:
    """The events as rows of ``EVENTS``, in their order; ``places``: one each, or none for rows of no log.

    Raises ValueError where the numbers of events and places differ.
    """
    if places is None:
        places = [NOWHERE] * len(events)
    if len(places) != len(events):
        raise ValueError(f"places: expected {len(events)}, one an event")
    return _placed(_columns([_fields_of(place) for place in places], PLACE), events)


def logged_batch(
    source: tuple[str, int],
    places: tuple[Sequence[int], Sequence[int], Sequence[int]],
    duplicates: Sequence[bool],
    events: Sequence[Event],
) -> pa.RecordBatch:
    """As ``batch_of``, for events of one topic partition, named by ``source``: topic id and partition.

    ``places``: by event, the offset, the index and the broker's append time (ms).
    """
    offsets, indexes, received_ms = places
    at = [
        pa.repeat(pa.scalar(source[0]), len(events)),
        pa.repeat(pa.scalar(source[1], pa.int32()), len(events)),
        *(
            pa.array(values, field.type)
            for values, field in zip((offsets, indexes, received_ms, duplicates), list(PLACE)[2:], strict=True)
        ),
    ]
    return _placed(at, events)


def _placed(at: list[pa.Array], events: Sequence[Event]) -> pa.RecordBatch:
    """Events beside the columns of their places."""
    return pa.RecordBatch.from_arrays(
        at + _columns([_fields_of(event) for event in events], EVENT_FIELDS), schema=EVENTS
    )


def _columns(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> list[pa.Array]:
    by_column = zip(*rows, strict=True) if rows else [()] * len(schema)
    return [pa.array(values, field.type) for values, field in zip(by_column, schema, strict=True)]


def events_of(batch: pa.RecordBatch) -> list[Event]:
    """The events of a batch that has at least the columns id, source, tenant and time; others may be absent."""
    known = [name for name in EVENT_FIELDS.names if name in batch.schema.names]
    told = [name for name in known if batch.column(name).null_count < batch.num_rows]
    columns = [values_of(batch.column(name)) for name in told]
    return [Event(**dict(zip(told, row, strict=True))) for row in zip(*columns, strict=True)]


def places_of(batch: pa.RecordBatch) -> list[Place]:
    """The places of a batch that has all columns of ``PLACE``."""
    return [Place(*row) for row in zip(*(values_of(batch.column(name)) for name in PLACE.names), strict=True)]
