"""The decision: the record of one call's verdicts under every policy that was staged for it."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from spendgate.model.unreadable import UNREADABLE

Verdict = Literal["approve", "warn", "review", "deny"]
VERDICTS: tuple[Verdict, ...] = ("approve", "warn", "review", "deny")
"""From the mildest to the worst; a verdict's code in the engine is its index here."""

Code = Literal[
    "within_budget", "near_cap", "over_cap", "within_boundary", "model_denied", "vendor_denied", "cost_over",
    "input_tokens_over", "output_tokens_over", "no_review", "review_required", "unpriced",
]  # fmt: skip
CODES: tuple[Code, ...] = (
    "within_budget", "near_cap", "over_cap", "within_boundary", "model_denied", "vendor_denied", "cost_over",
    "input_tokens_over", "output_tokens_over", "no_review", "review_required", "unpriced",
)  # fmt: skip

RuleKind = Literal["budget", "boundary", "review"]
Mark = Literal["late", "clock_skew", "unpriced"]


class Position(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """Where the call stands in the log: message offset, and index in the message."""

    topic: str
    partition: int
    offset: int
    index: int


class Judged(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """How many rules looked, and the hash that names the set of stagings that were in force."""

    rules: int
    set: str


class Reason(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, gc=False):
    """What one rule said. Sums are those just before this call, in nano-USD.

    ``used_before_nano_usd`` is the admitted sum (closed loop), ``recorded_before_nano_usd`` the recorded one
    (open loop). ``reset_at`` stands on a breach alone: the first instant at which the same cost would fit if
    nothing more were spent; absent where it never would. ``alerts`` lists the warn thresholds, in percent,
    that this call crossed.
    """

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


class Decision(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, gc=False):
    """One call's decision. ``decided_at`` is the only field that a replay may change. ``check_id``: the pre-call check
    that the call settles, as its event names it."""

    decision_id: str
    tenant: str
    source: str
    event_id: str
    event_time: datetime
    decided_at: datetime
    position: Position
    verdict: Verdict
    engine_version: str
    judged: Judged
    cost_nano_usd: int | None = None
    check_id: str | None = None
    marks: tuple[Mark, ...] = ()
    reasons: tuple[Reason, ...] = ()


encode_decisions = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Decision]).decode


def read_decisions(value: bytes) -> list[Decision] | None:
    """The decisions of one message; None for a message that holds none."""
    try:
        return _decode(value)
    except UNREADABLE:
        return None
