"""Stagings in force: the small document that says what judges a tenant's calls."""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from spendgate.engine.clock import BEGINNING, Clock
from spendgate.model.activation import Activation
from spendgate.model.settings import Settings


class Staging(Struct, frozen=True, forbid_unknown_fields=True):
    """One use of a policy version, from the activation at ``offset`` of the log on."""

    staging: str
    policy: str
    hash: str
    stage: str
    offset: int


class TenantDocument(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is true of a tenant at a mark, besides counters and identities.

    ``hours``: whole hours since the epoch that hold identities. ``ended``: stagings that may not come back.
    ``passed``: the ids of activations, so that a repeat is void. ``calls``, ``corrections``: whether the log holds any
    of the tenant.
    """

    watermark_ms: int = BEGINNING
    late_ms: int = BEGINNING
    duplicate_hour: int = BEGINNING
    settings: dict[str, int | str] = {}
    stagings: tuple[Staging, ...] = ()
    ended: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    hours: tuple[int, ...] = ()
    calls: bool = False
    corrections: bool = False

    @property
    def clock(self) -> Clock:
        """The watermark and the horizons."""
        return Clock(self.watermark_ms, self.late_ms, self.duplicate_hour)


def set_hash(stagings: Sequence[Staging]) -> str:
    """The name of a set of stagings in force, 32 hex digits: what judged a call."""
    return hashlib.sha256(msgspec.json.encode([(s.staging, s.hash, s.stage) for s in stagings])).hexdigest()[:32]


def settings_of(document: TenantDocument) -> Settings:
    """The settings in force."""
    return Settings.model_validate(document.settings)


def is_void(document: TenantDocument, activation: Activation) -> bool:
    """Whether an activation changes nothing: a repeat, one after the end, or one of an unknown staging."""
    if activation.id in document.passed:
        return True
    known = {staging.staging: staging for staging in document.stagings}
    match activation.action:
        case "stage":
            return activation.staging in known or activation.staging in document.ended
        case "settings":
            return False
        case "enforce":
            return activation.staging not in known or known[activation.staging].stage == "enforced"
        case "demote":
            return activation.staging not in known or known[activation.staging].stage != "enforced"
        case "end":
            return activation.staging not in known


def ended_by(document: TenantDocument, activation: Activation) -> list[str]:
    """The stagings in force that a (not void) activation ends."""
    named = {activation.staging} if activation.action == "end" else set(activation.ends)
    return [staging.staging for staging in document.stagings if staging.staging in named]


def activated(document: TenantDocument, activation: Activation, offset: int) -> TenantDocument:
    """The document after an activation at ``offset``; a void one changes nothing but is no error."""
    if is_void(document, activation):
        return document
    document = msgspec.structs.replace(document, passed=(*document.passed, activation.id))
    gone = ended_by(document, activation)
    kept = [staging for staging in document.stagings if staging.staging not in gone]
    changed = msgspec.structs.replace(document, ended=(*document.ended, *gone))
    match activation.action:
        case "stage":
            kept.append(_staged(activation, offset))
        case "enforce" | "demote":
            stage = "enforced" if activation.action == "enforce" else "shadow"
            kept = [msgspec.structs.replace(s, stage=stage) if s.staging == activation.staging else s for s in kept]
        case "settings":
            said = msgspec.to_builtins(activation.settings)
            changed = msgspec.structs.replace(changed, settings={**document.settings, **said})
        case "end":
            pass
    return msgspec.structs.replace(changed, stagings=tuple(kept))


def _staged(activation: Activation, offset: int) -> Staging:
    if activation.staging is None or activation.policy is None or activation.hash is None:
        raise ValueError("a stage activation names staging, policy and hash")
    stage = "enforced" if activation.stage == "enforced" else "shadow"
    return Staging(activation.staging, activation.policy, activation.hash, stage, offset)
