"""Activations as JSON lines: the record, and where and when it was recorded."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from spendgate.ledger.activation_rows import PlacedActivation, activations_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.event_rows import Place
from spendgate.ledger.reader_problem import InputError
from spendgate.model.activation import Activation
from spendgate.model.unreadable import UNREADABLE


class _Position(msgspec.Struct):
    topic_id: str
    partition: int
    offset: int
    index: int


class _Line(msgspec.Struct):
    received_at: datetime
    position: _Position
    activation: Activation


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


def activation_lines(ledger: Ledger, tenants: Iterable[str]) -> Iterator[bytes]:
    """A line for each activation of some tenants, in log order. Raises LedgerError."""
    for tenant in tenants:
        for batch in ledger.activation_batches(tenant):
            yield from map(_line, activations_of(batch))


def _line(placed: PlacedActivation) -> bytes:
    at = placed.place
    where = {"topic_id": at.topic_id, "partition": at.partition, "offset": at.offset, "index": at.index}
    return _encode({"received_at": at.received_at, "position": where, "activation": placed.activation}) + b"\n"


def read_activations(lines: Iterable[bytes], tenant: str) -> Iterator[PlacedActivation]:
    """A tenant's activations of such lines. Raises InputError."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = _decode(line)
        except UNREADABLE:
            raise InputError(
                f"activations: line {number}: expected an activation, as `spendgate ledger export` writes it"
            ) from None
        if found.activation.tenant == tenant:
            at = found.position
            place = Place(at.topic_id, at.partition, at.offset, at.index, found.received_at)
            yield PlacedActivation(place, found.activation, _encode(found.activation))
