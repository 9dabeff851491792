"""Events as they are told over HTTP and in JSON lines: the event, and where and when it was recorded."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from spendgate.ledger.event_rows import Place, events_of, places_of


def documents_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """A document for each row of ``columns.EVENTS``; ``position`` is null for an event that was never in a log."""
    for place, event in zip(places_of(batch), events_of(batch), strict=True):
        said = {name: value for name, value in msgspec.to_builtins(event).items() if value is not None}
        yield {
            **said, "received_at": instant_text(place.received_at), "duplicate": place.duplicate,
            "position": place_document(place),
        }  # fmt: skip


def place_document(place: Place) -> dict[str, str | int | None] | None:
    """Where an event stands in the log; None for one that was never in a log."""
    if place.offset is None:
        return None
    return {"topic_id": place.topic_id, "partition": place.partition, "offset": place.offset, "index": place.index}


def instant_text(at: datetime | None) -> str | None:
    """An instant as RFC 3339, in UTC."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")
