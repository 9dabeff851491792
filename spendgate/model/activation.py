"""The activation: a record in the event log that begins or ends a staging, or changes a tenant's settings."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from spendgate.model.enforcement import Share
from spendgate.model.event import Time
from spendgate.model.text import Name

PolicyHash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Action = Literal["stage", "end", "enforce", "demote", "settings"]
Stage = Literal["shadow", "enforced"]


class SettingsChange(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """The settings that change; what is absent stays as it was."""

    grace_hours: Annotated[int, Meta(ge=1, le=744)] | None = None
    dedupe_hours: Annotated[int, Meta(ge=1, le=168)] | None = None
    skew_minutes: Annotated[int, Meta(ge=0, le=1440)] | None = None
    reasons: Literal["nearest", "all"] | None = None


class Activation(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One activation as it stands on ``spend.events``; its offset is its place in the order of calls.

    ``stage`` needs staging, policy and hash, and names in ``ends`` the stagings that it ends; ``end``,
    ``enforce`` and ``demote`` need staging; ``settings`` needs settings. ``share``: for which calls ``enforce`` is
    meant, all where it is absent; it changes no verdict and no counter.
    """

    kind: Literal["activation"]
    id: Name
    tenant: Name
    time: Time
    action: Action
    staging: Name | None = None
    policy: Name | None = None
    hash: PolicyHash | None = None
    stage: Stage = "shadow"
    ends: list[Name] = []
    settings: SettingsChange | None = None
    share: Share | None = None
    signature: Annotated[str, Meta(max_length=128)] | None = None
    """``<key id>:<base64>`` of an Ed25519 signature over ``signed_bytes``; made by the policy store."""


encode_activation = msgspec.json.Encoder().encode


def signed_bytes(activation: Activation) -> bytes:
    """What the policy store signs: the whole activation but for the signature, whatever stood on the wire."""
    return b"spendgate-activation-v1\n" + encode_activation(msgspec.structs.replace(activation, signature=None))
