"""Pages of a tenant's rows in the ledger, in the order of the log or the newest first; a cursor is a place, so that a
page neither repeats nor skips a row while the ledger grows. Rows that were imported have no place, and are not here."""

import base64
from typing import Annotated, NamedTuple

import msgspec
import pyarrow as pa

from spendgate.ledger.delta_pieces import Places
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Place, Reading, Selection, place_of

MOST_LOOKED_AT = 1_000_000
"""After so many rows a page ends, with whatever was found and a cursor to go on from."""

_Text = Annotated[str, msgspec.Meta(max_length=128)]
_Small = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_Long = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_cursor = msgspec.msgpack.Decoder(tuple[_Text, _Small, _Long, _Small])


class CursorError(Exception):
    """What is no cursor."""


class Page(NamedTuple):
    """``batches``: the rows in the order asked for; ``next``: the last place that was looked at, None at the end."""

    batches: list[pa.RecordBatch]
    next: Place | None


def page(ledger: Ledger, chosen: Selection, most: int) -> Page:
    """Up to ``most`` rows of a selection. Raises LedgerError."""
    reading = Reading(ledger, chosen)
    found: list[pa.RecordBatch] = []
    left, looked = most, 0
    for piece in reading.pieces():
        hits = reading.hits(piece)
        kept = _first(hits, left, newest_first=chosen.newest_first)
        batches = list(piece.batches(kept))
        found += [_turned(each) for each in reversed(batches)] if chosen.newest_first else batches
        if len(kept) == left:
            return Page(found, place_of(piece, int(kept[0 if chosen.newest_first else -1])))
        left -= len(kept)
        looked += piece.rows
        if looked >= MOST_LOOKED_AT:
            return Page(found, place_of(piece, 0 if chosen.newest_first else piece.rows - 1))
    return Page(found, None)


def _first(hits: Places, most: int, *, newest_first: bool) -> Places:
    return hits[-most:] if newest_first else hits[:most]


def _turned(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.take(pa.array(range(batch.num_rows - 1, -1, -1)))


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
