"""What the pre-call check asks for and answers."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from gateway_shadow.documents import Name
from gateway_shadow.ruling import Fault, Ruling
from spendgate.model.check import Check, CheckFault
from spendgate.model.decision import Reason, Verdict
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.words import explain

Tokens_ = Annotated[int, Field(ge=0, le=2**53 - 1, strict=True)]

SAID = (
    "team", "employee", "customer", "project", "workflow", "agent", "vendor", "model", "input_tokens", "output_tokens",
)  # fmt: skip
"""What is known of a call beforehand."""


class Question(BaseModel):
    """A call that is about to be made. The cost is the estimate, or what model and tokens cost by the price book.

    Whoever asks again for the same call says the same ``request_id``: it is one check then, with one reservation and,
    where a person has to look, one review.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"team": "claims", "workflow": "prior-authorisation", "vendor": "openai", "model": "gpt-4o",
                        "input_tokens": 2000, "output_tokens": 500},
        },
    )  # fmt: skip

    request_id: Name | None = None
    team: Name | None = None
    employee: Name | None = None
    customer: Name | None = None
    project: Name | None = None
    workflow: Name | None = None
    agent: Name | None = None
    vendor: Name | None = None
    model: Name | None = None
    input_tokens: Tokens_ | None = None
    output_tokens: Tokens_ | None = None
    estimate_nano_usd: Annotated[int, Field(ge=0, le=MAX_COST_NANO_USD, strict=True)] | None = None


class ReasonDocument(BaseModel):
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


class FaultDocument(BaseModel):
    """An enforced policy that could not be asked, why, and what it says of that."""

    policy: str
    why: str
    fail_mode: Literal["open", "closed"]


class Answer(BaseModel):
    """``allow`` is true, whatever ``would_be`` says, unless an enforced policy blocks the call, as ``blocked`` says.
    The event that settles the call names the ``check_id``. ``fault``: why there is no ``would_be``. ``not_enforced``:
    what should have been enforced and could not be. ``reviews``: those that the call waits for; ask again with the same
    ``request_id``."""

    allow: bool = True
    blocked: Literal["deny", "review"] | None = None
    check_id: str
    would_be: Verdict | None
    estimate_nano_usd: int | None
    reasons: list[ReasonDocument] = []
    fault: CheckFault | None = None
    not_enforced: list[FaultDocument] = []
    reviews: list[str] = []
    retry_after_s: int | None = None


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


def question_of(headers: Mapping[str, str]) -> Question:
    """What the headers ``x-spendgate-*`` say, field by field; what is no value of the field is left out."""
    said: dict[str, str | int] = {}
    for name in ("request_id", *SAID, "estimate_nano_usd"):
        value = headers.get(f"x-spendgate-{name.replace('_', '-')}")
        if value is not None:
            said.update(_kept(name, value))
    return Question.model_validate(said)


def _kept(name: str, value: str) -> Iterable[tuple[str, str | int]]:
    try:
        whole = int(value) if name.endswith(("_tokens", "_usd")) else value
        Question.model_validate({name: whole})
    except ValueError:
        return []
    return [(name, whole)]
