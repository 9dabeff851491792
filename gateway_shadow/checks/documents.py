"""What the pre-call check answers; what it is asked is ``spendgate.model.question``."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from gateway_shadow.checks.ruling import Fault, Ruling
from spendgate.model.check import Check, CheckFault
from spendgate.model.decision import Reason, Verdict
from spendgate.model.question import NAMES, Question, question_of
from spendgate.model.words import explain

SAID = (*(name for name in NAMES if name != "request_id"), "input_tokens", "output_tokens")
"""What is known of a call beforehand."""
EXAMPLE = {
    "team": "claims", "workflow": "prior-authorisation", "vendor": "openai", "model": "gpt-4o", "input_tokens": 2000,
    "output_tokens": 500,
}  # fmt: skip


class ReasonDocument(Struct):
    """What one rule would have said or, enforced, says. Sums are those of the counters' mark, and what other checks
    have reserved."""

    policy: str
    stage: str
    verdict: Verdict
    code: str
    words: str
    limit_nano_usd: int | None
    used_nano_usd: int | None
    remaining_nano_usd: int | None
    reset_at: datetime | None


class FaultDocument(Struct):
    """An enforced policy that could not be asked, why, and what it says of that."""

    policy: str
    why: str
    fail_mode: Literal["open", "closed"]


class Answer(Struct, kw_only=True):
    """``allow`` is true, whatever ``would_be`` says, unless an enforced policy blocks the call, as ``blocked`` says.
    The event that settles the call names the ``check_id``. ``fault``: why there is no ``would_be``. ``not_enforced``:
    what should have been enforced and could not be. ``reviews``: those that the call waits for; ask the same again,
    ``request_id`` and all."""

    allow: bool = True
    blocked: Literal["deny", "review"] | None = None
    check_id: str
    would_be: Verdict | None
    estimate_nano_usd: int | None
    reasons: list[ReasonDocument]
    fault: CheckFault | None
    not_enforced: list[FaultDocument]
    reviews: list[str]
    retry_after_s: int | None


def answer_of(found: Check, ruling: Ruling, reviews: Iterable[str], retry_after_s: int | None) -> Answer:
    """The answer to a check."""
    return Answer(
        allow=found.allow, blocked=found.blocked, check_id=found.check_id, would_be=found.would_be,
        estimate_nano_usd=found.estimate_nano_usd, reasons=[_reason(each) for each in found.reasons], fault=found.fault,
        not_enforced=[_fault(each) for each in ruling.faults], reviews=list(reviews), retry_after_s=retry_after_s,
    )  # fmt: skip


def _reason(reason: Reason) -> ReasonDocument:
    return ReasonDocument(
        policy=reason.policy, stage=reason.stage, verdict=reason.verdict, code=reason.code, words=explain(reason),
        limit_nano_usd=reason.limit_nano_usd, used_nano_usd=reason.used_before_nano_usd,
        remaining_nano_usd=reason.remaining_nano_usd, reset_at=reason.reset_at,
    )  # fmt: skip


def _fault(fault: Fault) -> FaultDocument:
    return FaultDocument(policy=fault.watched.policy, why=fault.why, fail_mode=fault.watched.behaviour.fail_mode)


def question_in(headers: Mapping[str, str]) -> Question:
    """What the headers ``x-spendgate-*`` say, field by field; what is no value of the field is left out."""
    return question_of(lambda name: headers.get(f"x-spendgate-{name.replace('_', '-')}"))


encode_answer = msgspec.json.Encoder().encode
