"""Activations and checkpoints into Arrow columns and back, exactly."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import pyarrow as pa

from spendgate.ledger.arrow_values import values_of
from spendgate.ledger.event_rows import Place
from spendgate.ledger.record_columns import ACTIVATIONS, CHECKPOINTS
from spendgate.model.activation import Activation

_decode = msgspec.json.Decoder(Activation).decode


class PlacedActivation(NamedTuple):
    """An activation and where it stands in the log; ``encoded`` is the record itself, signatures and all."""

    place: Place
    activation: Activation
    encoded: bytes


class TenantCheckpoint(NamedTuple):
    """What the mark at ``offset`` covers of one tenant, as its writer encoded it; ``made_at`` is aware."""

    topic_id: str
    partition: int
    offset: int
    tenant: str
    made_at: datetime
    engine_version: str
    state: bytes


def activation_batch_of(activations: Sequence[PlacedActivation]) -> pa.RecordBatch:
    """The activations as rows of ``ACTIVATIONS``."""
    rows = [
        (*msgspec.structs.astuple(place)[:5], *(getattr(activation, name) for name in ACTIVATIONS.names[5:-1]), encoded)
        for place, activation, encoded in activations
    ]
    return _batch(rows, ACTIVATIONS)


def activations_of(batch: pa.RecordBatch) -> list[PlacedActivation]:
    """The activations of a batch that has the place and ``encoded``."""
    columns = [values_of(batch.column(name)) for name in (*ACTIVATIONS.names[:5], "encoded")]
    return [PlacedActivation(Place(*row[:5]), _decode(row[5]), row[5]) for row in zip(*columns, strict=True)]


def checkpoint_batch_of(checkpoints: Sequence[TenantCheckpoint]) -> pa.RecordBatch:
    """The checkpoints as rows of ``CHECKPOINTS``."""
    return _batch(checkpoints, CHECKPOINTS)


def checkpoints_of(batch: pa.RecordBatch) -> list[TenantCheckpoint]:
    """The checkpoints of a batch that has all columns of ``CHECKPOINTS``."""
    columns = [values_of(batch.column(name)) for name in CHECKPOINTS.names]
    return [TenantCheckpoint(*row) for row in zip(*columns, strict=True)]


def _batch(rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> pa.RecordBatch:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(by_column, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
