"""The record of what enforcing did, or did not do. It stands on ``spend.enforcements``."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from spendgate.model.decision import Code, Verdict
from spendgate.model.enforcement import Share
from spendgate.model.event import Cost, Time
from spendgate.model.text import Name

EnforcementKind = Literal[
    "granted", "withdrawn", "lost", "doubted", "would_block", "denied", "held", "let_through", "refused_by_fault",
    "expired",
]  # fmt: skip
"""``granted``, ``withdrawn``: leave to enforce began, ended. ``lost``: it could not be renewed. ``doubted``: some
reservations may have been lost. ``would_block``: calls that would have been blocked, and why they were not. ``denied``,
``held``: one call was. ``let_through``, ``refused_by_fault``: one call met a fault of ours, under an open or a closed
policy. ``expired``: a reservation whose call never reported."""


class Enforcement(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One thing that enforcing did, or did not do. ``calls``: how many it stands for; ``estimate_nano_usd``: their
    estimates together, where they were known."""

    kind: EnforcementKind
    tenant: Name
    time: Time
    staging: Name
    policy: Name
    certificate: Name | None = None
    share: Share | None = None
    why: Annotated[str, Meta(max_length=200)] | None = None
    check_id: Name | None = None
    verdict: Verdict | None = None
    code: Code | None = None
    calls: int = 1
    estimate_nano_usd: Cost | None = None


encode_enforcement = msgspec.json.Encoder().encode
"""A record as one message."""

_decode = msgspec.json.Decoder(Enforcement).decode


def read_enforcement(raw: bytes) -> Enforcement | None:
    """The record of a message; None where it holds none."""
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
