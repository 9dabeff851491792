"""The pre-call check: in shadow always allow, with what would have been said; recorded on ``spend.checks``.

It never delays a call beyond its own time budget and never turns a fault of its own into a refusal, unless a policy
that is enforced is closed. Whether a call is blocked is said in ``enforce`` alone.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

import msgspec
from fastapi import APIRouter, Request, Response

from gateway_shadow import metrics
from gateway_shadow.auth import Caller, require
from gateway_shadow.bare import Bare
from gateway_shadow.checks.checking import Checker
from gateway_shadow.checks.documents import EXAMPLE, SAID, Answer, answer_of, encode_answer, question_in
from gateway_shadow.checks.enforce import Enforcer
from gateway_shadow.checks.enforcement_records import records_of
from gateway_shadow.checks.flag_watch import FlagWatch
from gateway_shadow.checks.flag_watch import Policies as FlagPolicies
from gateway_shadow.checks.held_calls import review_ids
from gateway_shadow.checks.holding import Hold
from gateway_shadow.checks.ratelimit import headers_of, retry_after_s
from gateway_shadow.checks.ruling import ALLOWED, Rules, Ruling
from gateway_shadow.config import Config
from gateway_shadow.guard import body_of
from gateway_shadow.openapi import answered, bare, problems
from gateway_shadow.parts import Parts, shared
from gateway_shadow.problems import FieldProblem, Problem
from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.signing import Verifier
from spendgate.model.check import CHECK_PREFIX, Check, CheckFault
from spendgate.model.decision import Decision, Verdict
from spendgate.model.decode import Fault
from spendgate.model.event import Event
from spendgate.model.question import Question, read_question
from spendgate.model.review import Outcome
from spendgate.prices.cards import Tokens
from telemetry import tracing
from window_counters.documents import NotOfTheMark
from window_counters.protocol import StoreUnavailable, StoreUnfit
from window_counters.reservations import Reservations

log = logging.getLogger(__name__)
router = APIRouter(tags=["check"], route_class=Bare)

PAUSE_S = 1.0
"""After Redis did not answer, checks are answered at once and without it for so long."""
BLOCKED = 429
HELD_S = 1.0
"""A call that is held waits so long for what the queue says; then it is held, and asked again it may be answered."""


class Judged(NamedTuple):
    """What the policies say of a call; ``applied``: the offset up to which the counters were true."""

    decision: Decision | None = None
    applied: int | None = None
    fault: CheckFault | None = None


class Asked(NamedTuple):
    """A check and what became of it."""

    check: Check
    ruling: Ruling
    reviews: Sequence[str] = ()


@router.post(
    "/v1/check", openapi_extra=bare(Question, EXAMPLE),
    responses={
        **answered(Answer), BLOCKED: answered(Answer)[200] | {"description": "An enforced policy blocks the call."},
        **problems(413),
    },
)  # fmt: skip
async def check(request: Request) -> Response:
    """What the policies would say of a call, before it is made; where one is enforced, whether it may be made."""
    caller, parts = await require(request, "ingest"), shared(request)
    question = read_question(await body_of(request, parts.config.limits))
    if isinstance(question, Fault):
        problem = FieldProblem(field=question.field, expected=question.expected)
        raise Problem(422, "bad_field", "see errors", [problem])
    return _answered(await asked(question, caller, parts))


@router.api_route(
    "/v1/ext_authz/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"],
    status_code=200, include_in_schema=False,
)  # fmt: skip
async def ext_authz(request: Request) -> Response:
    """Envoy's HTTP external authorization: 200 unless an enforced policy blocks the call; what would be said stands in
    the headers. What is known of the call comes in headers ``x-spendgate-team``, ``-model``, ``-estimate-nano-usd`` and
    so on; what cannot be read there is unknown."""
    caller, parts = await require(request, "ingest"), shared(request)
    found = await asked(question_in(request.headers), caller, parts)
    return Response(headers=headers_of(found.check)) if found.check.allow else _answered(found)


def _answered(found: Asked) -> Response:
    after_s = retry_after_s(found.ruling, found.check.time) if found.ruling.blocked else None
    headers = headers_of(found.check) | ({} if after_s is None else {"Retry-After": str(after_s)})
    answer = encode_answer(answer_of(found.check, found.ruling, found.reviews, after_s))
    return Response(answer, 200 if found.check.allow else BLOCKED, headers, media_type="application/json")


async def asked(question: Question, caller: Caller, parts: Parts) -> Asked:
    """Judge a question within the time budget, rule on it, record it, and never fail."""
    begun = time.perf_counter()
    now = datetime.now(UTC)
    event = _event(question, caller, now, parts)
    judged, ruling = await _ruled(event, now, parts)
    reviews: Sequence[str] = ()
    if ruling.blocked == "review" and judged.decision is not None:
        judged, ruling, reviews = await _looked_at(event, now, parts, judged.decision, ruling)
    found = _check(event, caller, judged, ruling, int((time.perf_counter() - begun) * 1e6))
    parts.recorder.check(found)
    for record in records_of(found, ruling):
        parts.recorder.enforcement(record)
    metrics.CHECKS.labels(found.would_be or found.fault or "").inc()
    metrics.RULINGS.labels(ruling.blocked or "allow").inc()
    for fault in ruling.faults:
        metrics.ENFORCING_FAULTS.labels("refused_by_fault" if fault.watched.is_closed else "let_through").inc()
    metrics.CHECK_S.observe(time.perf_counter() - begun, tracing.trace_label() or None)
    return Asked(found, ruling, reviews)


async def _ruled(event: Event, now: datetime, parts: Parts, approved: Iterable[str] = ()) -> tuple[Judged, Ruling]:
    """What the policies say, and what enforcing makes of it: a call that is blocked reserves nothing."""
    if parts.enforcer is None:
        return await _judged(event, now, parts, None), ALLOWED
    hold = parts.enforcer.hold(event, approved)
    judged = await _judged(event, now, parts, hold)
    ruling = parts.enforcer.rule(hold, judged.decision, judged.fault)
    if hold is not None and ruling.blocked is not None:
        parts.enforcer.give_back(hold)
    return judged, ruling


async def _looked_at(
    event: Event, now: datetime, parts: Parts, decision: Decision, ruling: Ruling
) -> tuple[Judged, Ruling, Sequence[str]]:
    """A held call: what people have said of it by now, and whom it waits for."""
    held = msgspec.structs.replace(decision, decision_id=event.id, verdict="review", reasons=ruling.reasons)
    outcomes = await _outcomes(held, ruling, parts)
    if "refuse" in outcomes.values():
        return Judged(decision), ruling._replace(blocked="deny"), review_ids(held)
    if not outcomes:
        return Judged(decision), ruling, review_ids(held)
    return *(await _ruled(event, now, parts, outcomes)), review_ids(held)


async def _outcomes(held: Decision, ruling: Ruling, parts: Parts) -> Mapping[str, Outcome]:
    """What people have said of a held call, by staging; nothing where that cannot be had in time."""
    try:
        async with asyncio.timeout(HELD_S):
            return await parts.held.outcomes(held, {each.staging: each.document for each in ruling.enforced})
    except TimeoutError:
        log.warning("a held call waits for the store, which takes its time")
    except Exception as error:  # noqa: BLE001 - whatever it is, the call is held, and the check does not fail
        log.error("a held call waits: %s", type(error).__name__)
    return {}


def _check(event: Event, caller: Caller, judged: Judged, ruling: Ruling, took_us: int) -> Check:
    decision = judged.decision
    return Check(
        check_id=event.id, tenant=caller.tenant, time=event.time, asked_by=caller.key_id,
        **{name: getattr(event, name) for name in SAID}, estimate_nano_usd=event.cost_nano_usd,
        allow=ruling.blocked is None, blocked=ruling.blocked,
        enforced=tuple(each.staging for each in ruling.enforced), would_be=_verdict(judged), applied=judged.applied,
        reasons=() if decision is None else decision.reasons, fault=judged.fault, took_us=took_us,
    )  # fmt: skip


def _verdict(judged: Judged) -> Verdict | None:
    if judged.fault is not None:
        return None
    return "approve" if judged.decision is None else judged.decision.verdict


def _event(question: Question, caller: Caller, now: datetime, parts: Parts) -> Event:
    """The question as the call that it is about."""
    said = {name: getattr(question, name) for name in SAID}
    cost = question.estimate_nano_usd
    if cost is None and question.model is not None:
        tokens = Tokens(question.input_tokens, question.output_tokens, None, None, None)
        price, _ = parts.book.assess(question.vendor, question.model, now, tokens)
        cost = None if price is None else price.cost_nano_usd
    name = f"{CHECK_PREFIX}{_named(caller.tenant, question) or parts.changes.fresh()}"
    return Event(id=name, source="check", tenant=caller.tenant, time=now, cost_nano_usd=cost, **said)


def _named(tenant: str, question: Question) -> str | None:
    """The same for the same question of a request, so that asking again asks for nothing more. Another question under
    its id is another check: what was reserved or approved for a cheap call lets no dear one through."""
    if question.request_id is None:
        return None
    said = {name: value for name, value in msgspec.structs.asdict(question).items() if value is not None}
    return sha256(msgspec.json.encode([tenant, said], order="sorted")).hexdigest()[:32]


async def _judged(event: Event, now: datetime, parts: Parts, hold: Hold | None) -> Judged:
    if parts.checker is None or parts.breaker.is_open():
        return Judged(fault="store_away")
    try:
        async with asyncio.timeout(parts.config.limits.check_s):
            decision, mark = await parts.checker.check(event, now, hold)
    except TimeoutError:
        return Judged(fault="slow")
    except (StoreUnavailable, StoreUnfit, StoreAway, OSError):
        parts.breaker.trip(PAUSE_S)
        return Judged(fault="store_away")
    except NotOfTheMark:
        return Judged(fault="behind")
    except LookupError:
        return Judged(fault="unknown_policy")
    except Exception as error:  # noqa: BLE001 - whatever it is, a call must not be refused by it
        log.error("a check failed: %s", type(error).__name__)
        return Judged(fault="fault")
    return Judged(decision, None if mark is None else mark.offset)


def rules_of(
    config: Config, checker: Checker, database: Database, reservations: Reservations, policies: FlagPolicies
) -> Rules:
    """What rules on this door's checks, for the composition root."""
    verifier = Verifier(list(config.enforcement_keys)) if config.enforcement_keys else None
    return Enforcer(FlagWatch(database, policies), reservations, checker.partition, verifier)
