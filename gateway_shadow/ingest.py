"""Events in: our own, CloudEvents, LiteLLM's callback and OTLP spans. A 202 only after Kafka has acknowledged."""

from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from starlette.responses import JSONResponse

from gateway_shadow import metrics
from gateway_shadow.adapters import cloudevents
from gateway_shadow.adapters.events import events_of
from gateway_shadow.adapters.found import BadBody, Found, ItemProblem
from gateway_shadow.adapters.litellm import litellm_events
from gateway_shadow.adapters.otlp import answer_in_json, answer_in_protobuf, spans_in_json, spans_in_protobuf
from gateway_shadow.auth import Caller, Sender
from gateway_shadow.guard import body_of
from gateway_shadow.openapi import BODIES, EVENTS_BODY, LITELLM_BODY, TRACES_BODY
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.privacy.admission import Admission
from gateway_shadow.privacy.handling import Handled, handle
from gateway_shadow.problems import FieldProblem, Problem
from spendgate.model.event import PrivacyMode
from spendgate.prices.events import price_events
from spendgate.prices.tally import PriceTally

router = APIRouter(tags=["ingest"])

SLOW_BYTES = 64 * 1024
"""Bodies above this are read in a thread, so that a large one delays no other request for long."""
PROTOBUF, JSON = "application/x-protobuf", "application/json"
Adapter = Callable[[bytes, str], Found]
"""From a body and its tenant to events and problems; raises BadBody."""
AskedMode = Annotated[
    PrivacyMode | None,
    Header(alias="X-Spendgate-Privacy", description="A privacy mode; it tightens the tenant's, and never widens it."),
]


class Accepted(BaseModel):
    """What was taken: ``accepted`` events stand on the log; each of ``refused`` says which item was not, and why;
    ``dropped`` names fields of content that were met and left behind; ``content_refused`` says of which accepted items
    the content could not be kept, and why."""

    accepted: int
    refused: list[FieldProblem] = []
    dropped: list[str] = []
    content_refused: list[FieldProblem] | None = None


@router.post("/v1/events", status_code=202, response_model=Accepted, openapi_extra=EVENTS_BODY, responses=BODIES)
async def post_events(request: Request, caller: Sender, parts: Shared, privacy: AskedMode = None) -> Response:
    """Take events: one, an array, a line each; CloudEvents structured, batched or binary."""
    adapter = _adapter(_media_type(request), request)
    return await _ingested(request, adapter, caller, parts, privacy, "/v1/events")


@router.post(
    "/v1/ingest/litellm", status_code=202, response_model=Accepted, openapi_extra=LITELLM_BODY, responses=BODIES
)
async def post_litellm(request: Request, caller: Sender, parts: Shared, privacy: AskedMode = None) -> Response:
    """Take what LiteLLM's ``generic_api`` callback sends, in any of its framings; it names no Content-Type."""
    return await _ingested(request, litellm_events, caller, parts, privacy, "/v1/ingest/litellm")


@router.post("/v1/traces", openapi_extra=TRACES_BODY, responses=BODIES)
async def post_traces(request: Request, caller: Sender, parts: Shared, privacy: AskedMode = None) -> Response:
    """Take OTLP/HTTP spans, protobuf or JSON; only GenAI calls become events, other spans are passed over."""
    kind = _media_type(request)
    if kind not in (PROTOBUF, JSON):
        raise _not_taken(f"{PROTOBUF} or {JSON}")
    adapter = spans_in_json if kind == JSON else spans_in_protobuf
    body = await body_of(request, parts.config.limits)
    async with parts.privacy.gate.admitted(request, caller.tenant, privacy) as admission:
        handled = await _read(body, adapter, caller, parts, admission)
        await _write(handled, parts, admission, "/v1/traces")
    told = [*handled.problems, *handled.aside]
    words = "; ".join(f"{each.field}: expected {each.expected}" for each in told[:5])
    if kind == JSON:
        return JSONResponse(answer_in_json(len(handled.problems), words))
    return Response(answer_in_protobuf(len(handled.problems), words), media_type=PROTOBUF)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", JSON).partition(";")[0].strip().lower()


def _not_taken(expected: str) -> Problem:
    return Problem(415, "bad_media_type", f"Content-Type: expected {expected}")


def _adapter(kind: str, request: Request) -> Adapter:
    headers = request.headers
    if "ce-specversion" in headers:
        return lambda body, tenant: cloudevents.binary(headers, body, tenant)
    if kind in ("application/cloudevents+json", "application/cloudevents-batch+json"):
        return cloudevents.structured
    if kind in ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"):
        return lambda body, tenant: events_of(body, tenant, lines=True)
    if kind == JSON:
        return events_of
    raise _not_taken(f"{JSON}, application/x-ndjson, application/cloudevents+json or ...-batch+json")


async def _ingested(
    request: Request, adapter: Adapter, caller: Caller, parts: Parts, asked: PrivacyMode | None, route: str
) -> Response:
    """A body's way: received, admitted, read, its content dealt with, acknowledged by Kafka, answered."""
    body = await body_of(request, parts.config.limits)
    async with parts.privacy.gate.admitted(request, caller.tenant, asked) as admission:
        handled = await _read(body, adapter, caller, parts, admission)
        return await _taken(handled, parts, admission, route)


async def _read(body: bytes, adapter: Adapter, caller: Caller, parts: Parts, admission: Admission) -> Handled:
    """The events of a body, priced, and what is to become of their content."""
    privacy = admission.privacy
    if parts.privacy.keeper is not None:
        parts.privacy.keeper.prepare(privacy)

    def read() -> Handled:
        found = adapter(body, caller.tenant)
        found.events = list(price_events(found.events, parts.book, parts.config.price, PriceTally()))
        return handle(found, privacy.resolver, privacy.fingerprints, admission.asked, is_signed=admission.is_signed)

    try:
        return await run_in_threadpool(read) if len(body) > SLOW_BYTES else read()
    except BadBody as bad:
        raise Problem(400, "bad_body", str(bad)) from None


async def _taken(handled: Handled, parts: Parts, admission: Admission, route: str) -> Response:
    """Accepted where anything was; else all that is wrong."""
    refused = _problems(handled.problems)
    if not handled.events and refused:
        metrics.REFUSED_ITEMS.labels(route).inc(len(refused))
        raise Problem(422, "no_event", "no item is an event; see errors", refused)
    await _write(handled, parts, admission, route)
    answer = Accepted(
        accepted=len(handled.events), refused=refused, dropped=handled.dropped,
        content_refused=_problems(handled.aside) or None,
    )  # fmt: skip
    return JSONResponse(answer.model_dump(exclude_none=True), 202)


def _problems(found: Iterable[ItemProblem]) -> list[FieldProblem]:
    return [FieldProblem(index=each.place, field=each.field, expected=each.expected) for each in found]


async def _write(handled: Handled, parts: Parts, admission: Admission, route: str) -> None:
    items = len(handled.events) + len(handled.problems)
    if items > parts.config.limits.items:
        raise Problem(413, "too_many_items", f"expected at most {parts.config.limits.items} items in a body")
    if handled.to_keep and parts.privacy.keeper is not None:
        await parts.privacy.keeper.keep(handled, admission.privacy, parts.changes.now_ms())
    if handled.events:
        await parts.writer.write(handled.events)
    metrics.EVENTS.labels(route).inc(len(handled.events))
    metrics.REFUSED_ITEMS.labels(route).inc(len(handled.problems))
    metrics.CONTENTS_ASIDE.labels(route).inc(len(handled.aside))
