"""The pre-call check: in shadow always allow, with what would have been said; recorded on ``spend.checks``.

It never delays a call beyond its own time budget and never turns a fault of its own into a refusal.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gateway_shadow import metrics
from gateway_shadow.auth import Caller, Sender
from gateway_shadow.documents import Name
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.ratelimit import headers_of
from policy_store.errors import StoreAway
from spendgate.model.check import Check, CheckFault
from spendgate.model.decision import Decision, Reason, Verdict
from spendgate.model.event import Event
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.words import explain
from spendgate.prices.cards import Tokens
from window_counters.documents import NotOfTheMark
from window_counters.protocol import StoreUnavailable, StoreUnfit

log = logging.getLogger(__name__)
router = APIRouter(tags=["check"])

PAUSE_S = 1.0
"""After Redis did not answer, checks are answered at once and without it for so long."""

Tokens_ = Annotated[int, Field(ge=0, le=2**53 - 1, strict=True)]


class Question(BaseModel):
    """A call that is about to be made. The cost is the estimate, or what model and tokens cost by the price book."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"team": "claims", "workflow": "prior-authorisation", "vendor": "openai", "model": "gpt-4o",
                        "input_tokens": 2000, "output_tokens": 500},
        },
    )  # fmt: skip

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
    """What one rule would have said. Sums are those of the counters' mark."""

    policy: str
    stage: str
    verdict: Verdict
    code: str
    words: str
    limit_nano_usd: int | None
    used_nano_usd: int | None
    remaining_nano_usd: int | None
    reset_at: datetime | None


class Answer(BaseModel):
    """``allow`` is true, whatever ``would_be`` says: this is shadow. The event that settles the call names the
    ``check_id``. ``fault``: why there is no ``would_be``."""

    allow: Literal[True] = True
    check_id: str
    would_be: Verdict | None
    estimate_nano_usd: int | None
    reasons: list[ReasonDocument] = []
    fault: CheckFault | None = None


@router.post("/v1/check", responses=problems(413))
async def check(question: Question, response: Response, caller: Sender, parts: Shared) -> Answer:
    """What the policies would say of a call, before it is made."""
    found = await asked(question, caller, parts)
    response.headers.update(headers_of(found))
    return _answer(found)


@router.api_route(
    "/v1/ext_authz/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    status_code=200, include_in_schema=False,
)  # fmt: skip
async def ext_authz(request: Request, caller: Sender, parts: Shared) -> Response:
    """Envoy's HTTP external authorization: 200 whatever would be said, which stands in the headers. What is known of
    the call comes in headers ``x-spendgate-team``, ``-model``, ``-estimate-nano-usd`` and so on; what cannot be read
    there is unknown."""
    found = await asked(_of_headers(request.headers), caller, parts)
    return Response(headers=headers_of(found))


async def asked(question: Question, caller: Caller, parts: Parts) -> Check:
    """Judge a question within the time budget, record it, and never fail."""
    begun = time.perf_counter()
    now = datetime.now(UTC)
    event = _event(question, caller, now, parts)
    decision, applied, fault = await _judged(event, now, parts)
    found = Check(
        check_id=event.id, tenant=caller.tenant, time=now, asked_by=caller.key_id,
        **{name: getattr(event, name) for name in _SAID}, estimate_nano_usd=event.cost_nano_usd,
        would_be=_verdict(decision, fault), applied=applied,
        reasons=() if decision is None else decision.reasons, fault=fault,
        took_us=int((time.perf_counter() - begun) * 1e6),
    )  # fmt: skip
    parts.recorder.record(found)
    metrics.CHECKS.labels(found.would_be or found.fault or "").inc()
    metrics.CHECK_S.observe(time.perf_counter() - begun)
    return found


_SAID = (
    "team", "employee", "customer", "project", "workflow", "agent", "vendor", "model", "input_tokens", "output_tokens",
)  # fmt: skip


def _verdict(decision: Decision | None, fault: CheckFault | None) -> Verdict | None:
    if fault is not None:
        return None
    return "approve" if decision is None else decision.verdict


def _event(question: Question, caller: Caller, now: datetime, parts: Parts) -> Event:
    """The question as the call that it is about."""
    said = {name: getattr(question, name) for name in _SAID}
    cost = question.estimate_nano_usd
    if cost is None and question.model is not None:
        tokens = Tokens(question.input_tokens, question.output_tokens, None, None, None)
        price, _ = parts.book.assess(question.vendor, question.model, now, tokens)
        cost = None if price is None else price.cost_nano_usd
    return Event(
        id=f"chk-{parts.changes.fresh()}", source="check", tenant=caller.tenant, time=now, cost_nano_usd=cost, **said
    )


async def _judged(event: Event, now: datetime, parts: Parts) -> tuple[Decision | None, int | None, CheckFault | None]:
    if parts.checker is None or parts.breaker.is_open():
        return None, None, "store_away"
    try:
        async with asyncio.timeout(parts.config.limits.check_s):
            decision, mark = await parts.checker.check(event, now)
    except TimeoutError:
        return None, None, "slow"
    except (StoreUnavailable, StoreUnfit, StoreAway, OSError):
        parts.breaker.trip(PAUSE_S)
        return None, None, "store_away"
    except NotOfTheMark:
        return None, None, "behind"
    except LookupError:
        return None, None, "unknown_policy"
    except Exception as error:  # noqa: BLE001 - whatever it is, a call must not be refused by it
        log.error("a check failed: %s", type(error).__name__)
        return None, None, "fault"
    return decision, None if mark is None else mark.offset, None


def _answer(found: Check) -> Answer:
    return Answer(
        check_id=found.check_id, would_be=found.would_be, estimate_nano_usd=found.estimate_nano_usd,
        reasons=[_reason(each) for each in found.reasons], fault=found.fault,
    )  # fmt: skip


def _reason(reason: Reason) -> ReasonDocument:
    return ReasonDocument(
        policy=reason.policy, stage=reason.stage, verdict=reason.verdict, code=reason.code, words=explain(reason),
        limit_nano_usd=reason.limit_nano_usd, used_nano_usd=reason.used_before_nano_usd,
        remaining_nano_usd=reason.remaining_nano_usd, reset_at=reason.reset_at,
    )  # fmt: skip


def _of_headers(headers: Mapping[str, str]) -> Question:
    """What the headers say, field by field; what is no value of the field is left out."""
    said: dict[str, str | int] = {}
    for name in (*_SAID, "estimate_nano_usd"):
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
