"""Pre-call checks into Arrow columns and back, exactly."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pyarrow as pa

from spendgate.ledger.event_rows import Place
from spendgate.ledger.record_columns import CHECKS
from spendgate.model.check import Check

_decode = msgspec.json.Decoder(Check).decode
_PLACE = CHECKS.names[:5]
_SAID = CHECKS.names[5:-1]


class RecordedCheck(NamedTuple):
    """A check, and the record itself as it stood on its topic."""

    check: Check
    encoded: bytes


def read_check(encoded: bytes) -> RecordedCheck:
    """One message of the topic of checks. Raises msgspec.DecodeError."""
    return RecordedCheck(_decode(encoded), encoded)


def check_batch_of(checks: Sequence[RecordedCheck], places: Sequence[Place]) -> pa.RecordBatch:
    """The checks as rows of ``CHECKS``; ``places``: where each stands on its own topic."""
    rows = [
        (*msgspec.structs.astuple(place)[: len(_PLACE)], *(getattr(check, name) for name in _SAID), encoded)
        for place, (check, encoded) in zip(places, checks, strict=True)
    ]
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(CHECKS)
    arrays = [pa.array(values, field.type) for values, field in zip(by_column, CHECKS, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=CHECKS)


def checks_of(batch: pa.RecordBatch) -> list[Check]:
    """The checks of a batch that has ``encoded``."""
    return [_decode(encoded) for encoded in batch.column("encoded").to_pylist()]
