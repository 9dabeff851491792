"""The ranges that every store shares; whoever breaks one is told before anything is sent or changed."""

import sys
from array import array
from collections.abc import Iterable, Sequence

from window_counters.protocol import Change

MAX_DUE = 128
"""How many expired slots a read lists for one tenant."""
MAX_INT64 = 2**63 - 1
MIN_INT64 = -(2**63)
MAX_EXPIRY_MS = 2**53
"""Redis keeps the scores of a sorted set as doubles."""


def _all_within(values: Iterable[int], lowest: int, highest: int) -> bool:
    held = tuple(values)
    return not held or (lowest <= min(held) and max(held) <= highest)


def require_cells(values: Iterable[int]) -> None:
    """Raise OverflowError unless each value is a signed 64-bit integer."""
    if not _all_within(values, MIN_INT64, MAX_INT64):
        raise OverflowError("cell: expected a signed 64-bit integer")


def require_change(change: Change) -> None:
    """Raise OverflowError unless each delta can be taken back, and each expiry is exact as a double."""
    for deltas in change.increments.values():
        if not _all_within(deltas.values(), -MAX_INT64, MAX_INT64):
            raise OverflowError("delta: expected more than -2^63 and less than 2^63")
    for expiries_ms in change.expiries.values():
        if not _all_within(expiries_ms.values(), -MAX_EXPIRY_MS, MAX_EXPIRY_MS):
            raise OverflowError("expiry: expected milliseconds of at most 2^53")


def pack_identities(identities: Sequence[int]) -> bytes:
    """Each identity as 8 bytes, big-endian; OverflowError for what is no unsigned 64-bit integer."""
    packed = array("Q", identities)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()
