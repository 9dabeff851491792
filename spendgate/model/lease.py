"""The lease: leave to enforce a staging for two seconds. It stands in Redis, beside the counters that it is about."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from spendgate.model.activation import PolicyHash
from spendgate.model.enforcement import Share
from spendgate.model.text import Name

FLAG_UNREAD = "flag_unread"
"""Why something is off that nobody has turned off: calls go on, also past a closed policy, and that is recorded."""


class Lease(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """Leave to enforce a staging until ``until_ms``, by Redis's clock. Written by the actuator alone, and signed.

    ``number``: of the agent's heartbeat. ``run_id``: the run of Redis that it was written to. ``mark``: the offset that
    the counters had reached; ``fresh_ms``: when they were last seen level with the log.
    """

    tenant: Name
    staging: Name
    policy: Name
    hash: PolicyHash
    certificate: Name
    share: Share | None = None
    agent: Name
    number: int
    run_id: str
    mark: int
    fresh_ms: int
    granted_ms: int
    until_ms: int
    signature: Annotated[str, Meta(max_length=128)] | None = None


def signed_lease_bytes(lease: Lease) -> bytes:
    """What the enforcement agent signs: the whole lease but for the signature."""
    return b"spendgate-lease-v1\n" + encode_lease(msgspec.structs.replace(lease, signature=None))


class Withdrawal(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Stands in the place of a lease that was taken back: the staging is not enforced, and that is no fault unless
    ``why`` is FLAG_UNREAD."""

    withdrawn_ms: int
    why: str


encode_lease = msgspec.json.Encoder().encode
encode_withdrawal = msgspec.json.Encoder().encode
decode_lease = msgspec.json.Decoder(Lease).decode
_decode_withdrawal = msgspec.json.Decoder(Withdrawal).decode


def is_unread(withdrawal: bytes) -> bool:
    """Whether a lease was taken back because the flag could not be read."""
    try:
        return _decode_withdrawal(withdrawal).why == FLAG_UNREAD
    except msgspec.DecodeError:
        return False
