"""Rejections into Arrow columns and back, exactly."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa

from spendgate.ledger.arrow_values import values_of
from spendgate.ledger.event_rows import Place
from spendgate.ledger.record_columns import REJECTIONS
from spendgate.model.decision import Position
from spendgate.model.rejection import Rejection
from spendgate.model.text import NONE

read_rejection = msgspec.json.Decoder(Rejection).decode
"""One message of the topic of rejections. Raises msgspec.DecodeError."""
_fields_of = msgspec.structs.astuple
_PLACE = REJECTIONS.names[:5]


def rejection_batch_of(rejections: Sequence[Rejection], places: Sequence[Place]) -> pa.RecordBatch:
    """The rejections as rows of ``REJECTIONS``; ``places``: where each stands on its own topic."""
    rows = [
        (*_fields_of(place)[: len(_PLACE)], each.tenant or NONE, *_fields_of(each.position), each.received_at,
         each.reason, each.field, each.expected)
        for place, each in zip(places, rejections, strict=True)
    ]  # fmt: skip
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(REJECTIONS)
    arrays = [pa.array(values, field.type) for values, field in zip(by_column, REJECTIONS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=REJECTIONS)


def rejections_of(batch: pa.RecordBatch) -> list[Rejection]:
    """The rejections of a batch that has all columns of ``REJECTIONS``."""
    columns = [values_of(batch.column(name)) for name in REJECTIONS.names[5:]]
    return [
        Rejection(
            position=Position(*row[1:5]), received_at=row[5], tenant=None if row[0] == NONE else row[0],
            reason=row[6], field=row[7], expected=row[8],
        )
        for row in zip(*columns, strict=True)
    ]  # fmt: skip
