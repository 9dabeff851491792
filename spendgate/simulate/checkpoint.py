"""What a log up to some record leaves of a tenant, as one value and as bytes: the state in a checkpoint."""

import sys
from array import array
from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
from msgspec import Struct

from spendgate.engine.staging import TenantDocument


class TenantState(NamedTuple):
    """``known``: identity to the hour that it is filed under. ``cells``: slot, then field, to nano-USD; only slots that
    a verdict can still read. ``expiries``: slot to the instant (ms) after which none can.
    """

    document: TenantDocument
    known: Mapping[int, int]
    cells: Mapping[str, Mapping[str, int]]
    expiries: Mapping[str, int]

    def by_hour(self) -> dict[int, list[int]]:
        """The identities by the hour that they are filed under, each in order."""
        found = sorted((hour, identity) for identity, hour in self.known.items())
        return {hour: [each for _, each in group] for hour, group in groupby(found, itemgetter(0))}


class _Encoded(Struct, forbid_unknown_fields=True, kw_only=True):
    """``known``: each hour with its identities, of 8 bytes each, in the order of their numbers."""

    document: TenantDocument
    known: list[tuple[int, bytes]]
    cells: dict[str, dict[str, int]]
    expiries: dict[str, int]


_decode = msgspec.msgpack.Decoder(_Encoded).decode
_encode = msgspec.msgpack.Encoder(order="sorted").encode


def encode_state(state: TenantState) -> bytes:
    """The state as MessagePack; equal states give equal bytes."""
    known = [(hour, _packed(identities)) for hour, identities in state.by_hour().items()]
    cells = {slot: dict(fields) for slot, fields in state.cells.items()}
    return _encode(_Encoded(document=state.document, known=known, cells=cells, expiries=dict(state.expiries)))


def decode_state(encoded: bytes) -> TenantState:
    """The state of ``encode_state``. Raises ValueError for anything else."""
    read = _decode(encoded)
    known = {identity: hour for hour, packed in read.known for identity in _unpacked(packed)}
    return TenantState(read.document, known, read.cells, read.expiries)


def _packed(identities: list[int]) -> bytes:
    return b"".join(identity.to_bytes(8, "big") for identity in identities)


def _unpacked(packed: bytes) -> "array[int]":
    found = array("Q", packed)
    if sys.byteorder == "little":
        found.byteswap()
    return found
