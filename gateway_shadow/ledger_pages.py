"""Pages of a tenant's rows in the ledger, in the order of the log; a cursor is a place, so that a page neither repeats
nor skips a row while the ledger grows. Rows that were imported have no place, and are not here."""

import base64
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.delta_reader import LAST, Ledger, Part
from spendgate.ledger.delta_tables import TableName

MOST_LOOKED_AT = 500_000
"""After so many rows a page ends, with whatever was found and a cursor to go on from."""
BATCH_ROWS = 16_384


class Place(NamedTuple):
    """Where a row stands: the topic's id, partition, offset, and index in the message."""

    topic_id: str
    partition: int
    offset: int
    item: int


_Text = Annotated[str, msgspec.Meta(max_length=128)]
_Small = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Long = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_cursor = msgspec.msgpack.Decoder(tuple[_Text, _Small, _Long, _Small])


class Wanted(NamedTuple):
    """Which rows: ``values``: by column; ``reasons``: by field of one reason, all of the same one; times of the event,
    half open."""

    values: Mapping[str, str]
    reasons: Mapping[str, str]
    from_: datetime | None = None
    to: datetime | None = None


class CursorError(Exception):
    """What is no cursor."""


class Page(NamedTuple):
    """``batches``: the rows; ``next``: the last place that was looked at, None at the end."""

    batches: list[pa.RecordBatch]
    next: Place | None


Read = Callable[..., Iterator[pa.RecordBatch]]


def page(ledger: Ledger, name: TableName, tenant: str, wanted: Wanted, after: Place | None, most: int) -> Page:
    """Up to ``most`` rows behind ``after``. Raises LedgerError."""
    found: list[pa.RecordBatch] = []
    left, looked, last = most, 0, after
    for batch in _batches(ledger, name, tenant, wanted, after):
        kept = _behind(batch, after)
        hits = kept.filter(_mask(kept, wanted))
        if hits.num_rows >= left:
            rows = hits.slice(0, left)
            return Page([*found, rows], _place(rows, rows.num_rows - 1))
        found.append(hits)
        left -= hits.num_rows
        looked += batch.num_rows
        last = _place(batch, batch.num_rows - 1)
        if looked >= MOST_LOOKED_AT:
            return Page(found, last)
    return Page(found, None)


def _batches(
    ledger: Ledger, name: TableName, tenant: str, wanted: Wanted, after: Place | None
) -> Iterator[pa.RecordBatch]:
    read: Read = ledger.decision_batches if name == "decisions" else ledger.event_batches
    sources = _sources(ledger, name, tenant)
    begun = 0 if after is None or after[:2] not in sources else sources.index(after[:2])
    for source in sources[begun:]:
        first = after.offset if after is not None and after[:2] == source else 0
        part = Part(*source, first, LAST)
        for batch in read(tenant, None, wanted.from_, wanted.to, BATCH_ROWS, part=part):
            if batch.num_rows:
                yield batch


def _sources(ledger: Ledger, name: TableName, tenant: str) -> list[tuple[str, int]]:
    """The topic partitions that a tenant's rows stand in, the earliest first."""
    begun: dict[tuple[str, int], Any] = {}
    for file in ledger.files(name):
        if file.partition["tenant"] == tenant and file.source is not None:
            at = file.least["received_at"]
            begun[file.source] = min(begun.get(file.source, at), at)
    return sorted(begun, key=lambda source: (begun[source], source))


def _behind(batch: pa.RecordBatch, after: Place | None) -> pa.RecordBatch:
    """The rows behind a place of the same topic partition."""
    if after is None or (batch.column("topic_id")[0].as_py(), batch.column("partition")[0].as_py()) != after[:2]:
        return batch
    offsets, indexes = (batch.column(name).to_numpy() for name in ("offset", "index"))
    later = (offsets > after.offset) | ((offsets == after.offset) & (indexes > after.item))
    return batch.filter(pa.array(later))


def _mask(batch: pa.RecordBatch, wanted: Wanted) -> pa.Array:
    mask = np.ones(batch.num_rows, bool)
    for name, value in wanted.values.items():
        mask &= pc.fill_null(pc.equal(batch.column(name), value), fill_value=False).to_numpy(zero_copy_only=False)
    if wanted.reasons and batch.num_rows:
        mask &= _of_reasons(batch.column("reasons"), wanted.reasons)
    return pa.array(mask)


def _of_reasons(column: pa.Array, wanted: Mapping[str, str]) -> Any:
    """Which rows have a reason of which all fields are as wanted."""
    flat = column.flatten()
    hit = np.ones(len(flat), bool)
    for name, value in wanted.items():
        same = pc.fill_null(pc.equal(pc.struct_field(flat, name), value), fill_value=False)
        hit &= same.to_numpy(zero_copy_only=False)
    rows = np.zeros(len(column), bool)
    rows[pc.list_parent_indices(column).to_numpy()[hit]] = True
    return rows


def _place(batch: pa.RecordBatch, row: int) -> Place:
    return Place(*(batch.column(name)[row].as_py() for name in ("topic_id", "partition", "offset", "index")))


def encode_cursor(place: Place | None) -> str | None:
    """A place as text that only means something here."""
    return None if place is None else base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode().rstrip("=")


def decode_cursor(text: str | None) -> Place | None:
    """The place. Raises CursorError for what was never one."""
    if text is None:
        return None
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return Place(*_cursor.decode(packed))
    except ValueError:  # of base64, msgspec and ASCII alike
        raise CursorError from None
