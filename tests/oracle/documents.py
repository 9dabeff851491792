"""What goes into the recount and what comes out of it."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from spendgate.model.activation import Activation
from spendgate.model.decision import Code, Mark, Position, Reason, RuleKind, Verdict
from spendgate.model.event import Event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_MS = timedelta(milliseconds=1)


def to_ms(instant: datetime) -> int:
    """Whole milliseconds since the epoch, downwards (reading 22)."""
    return (instant - EPOCH) // ONE_MS


def to_instant(ms: int) -> datetime:
    """The aware UTC instant of ``ms`` milliseconds since the epoch."""
    return EPOCH + ms * ONE_MS


@dataclass(frozen=True)
class Record:
    """One record of the log: where it stands, when the broker took it, and what it says."""

    position: Position
    received_at_ms: int
    body: Event | Activation


@dataclass(frozen=True, kw_only=True)
class OracleReason:
    """What one rule said; field for field a ``spendgate.model.decision.Reason``."""

    policy: str
    staging: str
    stage: str
    rule: int
    kind: RuleKind
    verdict: Verdict
    code: Code
    counter: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    limit_nano_usd: int | None = None
    used_before_nano_usd: int | None = None
    recorded_before_nano_usd: int | None = None
    remaining_nano_usd: int | None = None
    overage_nano_usd: int | None = None
    reset_at: datetime | None = None
    alerts: tuple[int, ...] = ()

    def differences(self, other: Reason) -> dict[str, tuple[Any, Any]]:
        """By field, what the recount says and what ``other`` says, where they differ."""
        mine, theirs = asdict(self), msgspec.structs.asdict(other)
        return {name: (value, theirs[name]) for name, value in mine.items() if value != theirs[name]}


@dataclass(frozen=True)
class OracleDecision:
    """The recount's answer to one call."""

    verdict: Verdict
    marks: tuple[Mark, ...]
    cost_nano_usd: int | None
    check_id: str | None
    judged_rules: int
    reasons: tuple[OracleReason, ...]
