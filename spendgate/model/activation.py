"""The activation: a record in the event log that begins or ends a staging, or changes a tenant's settings."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

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
    ``enforce`` and ``demote`` need staging; ``settings`` needs settings.
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


encode_activation = msgspec.json.Encoder().encode
