"""Events as Arrow columns: the one form in which recorded events are stored, read and simulated."""

from typing import Any

import pyarrow as pa
from msgspec.inspect import BoolType, DateTimeType, IntType, Type, UnionType

from spendgate.ledger.reader_problem import FIELD_TYPES

TIME = pa.timestamp("us", "UTC")

PLACE = pa.schema(
    [
        ("topic_id", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("index", pa.int32()),
        ("received_at", pa.timestamp("ms", "UTC")),
        pa.field("duplicate", pa.bool_(), nullable=False),
    ]
)
"""Where a row stands in the log; all null but ``duplicate`` for a row that was never in one.

``duplicate``: an identity that was accepted before, which no policy looks at.
"""


def _arrow_type(kind: Type) -> Any:
    match kind:
        case UnionType():
            return _arrow_type(kind.types[0])
        case IntType():
            return pa.int64()
        case DateTimeType():
            return TIME
        case BoolType():
            return pa.bool_()
        case _:
            return pa.string()


_ALWAYS = ("id", "source", "tenant", "time", "kind")

EVENT_FIELDS = pa.schema(
    [pa.field(name, _arrow_type(kind), nullable=name not in _ALWAYS) for name, kind in FIELD_TYPES.items()]
)
"""The event's own fields, in the order of its schema; ``time`` to the microsecond."""

EVENTS = pa.schema([*PLACE, *EVENT_FIELDS])
"""One row an event, calls and annotations alike."""
