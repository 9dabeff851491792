"""Events in: our own, CloudEvents, LiteLLM's callback and OTLP spans. A 202 only after Kafka has acknowledged."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel
from starlette.responses import JSONResponse

from gateway_shadow import metrics
from gateway_shadow.adapters import cloudevents
from gateway_shadow.adapters.events import events_of
from gateway_shadow.adapters.found import BadBody, Found
from gateway_shadow.adapters.litellm import litellm_events
from gateway_shadow.adapters.otlp import answer_in_json, answer_in_protobuf, spans_in_json, spans_in_protobuf
from gateway_shadow.auth import Caller, Sender
from gateway_shadow.guard import body_of
from gateway_shadow.openapi import BODIES, EVENTS_BODY, LITELLM_BODY, TRACES_BODY
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import FieldProblem, Problem
from spendgate.prices.events import price_events
from spendgate.prices.tally import PriceTally

router = APIRouter(tags=["ingest"])

SLOW_BYTES = 64 * 1024
"""Bodies above this are read in a thread, so that a large one delays no other request for long."""
PROTOBUF, JSON = "application/x-protobuf", "application/json"
Adapter = Callable[[bytes, str], Found]
"""From a body and its tenant to events and problems; raises BadBody."""


class Accepted(BaseModel):
    """What was taken: ``accepted`` events stand on the log; each of ``refused`` says which item was not, and why;
    ``dropped`` names fields of content that were met and not read."""

    accepted: int
    refused: list[FieldProblem] = []
    dropped: list[str] = []


@router.post("/v1/events", status_code=202, response_model=Accepted, openapi_extra=EVENTS_BODY, responses=BODIES)
async def post_events(request: Request, caller: Sender, parts: Shared) -> Response:
    """Take events: one, an array, a line each; CloudEvents structured, batched or binary."""
    kind = _media_type(request)
    body = await body_of(request, parts.config.limits)
    found = await _read(body, _adapter(kind, request), caller, parts)
    return await _taken(found, caller, parts, "/v1/events")


@router.post(
    "/v1/ingest/litellm", status_code=202, response_model=Accepted, openapi_extra=LITELLM_BODY, responses=BODIES
)
async def post_litellm(request: Request, caller: Sender, parts: Shared) -> Response:
    """Take what LiteLLM's ``generic_api`` callback sends, in any of its framings; it names no Content-Type."""
    body = await body_of(request, parts.config.limits)
    found = await _read(body, litellm_events, caller, parts)
    return await _taken(found, caller, parts, "/v1/ingest/litellm")


@router.post("/v1/traces", openapi_extra=TRACES_BODY, responses=BODIES)
async def post_traces(request: Request, caller: Sender, parts: Shared) -> Response:
    """Take OTLP/HTTP spans, protobuf or JSON; only GenAI calls become events, other spans are passed over."""
    kind = _media_type(request)
    if kind not in (PROTOBUF, JSON):
        raise _not_taken(f"{PROTOBUF} or {JSON}")
    body = await body_of(request, parts.config.limits)
    found = await _read(body, spans_in_json if kind == JSON else spans_in_protobuf, caller, parts)
    await _write(found, parts, "/v1/traces")
    words = "; ".join(f"{each.field}: expected {each.expected}" for each in found.problems[:5])
    if kind == JSON:
        return JSONResponse(answer_in_json(len(found.problems), words))
    return Response(answer_in_protobuf(len(found.problems), words), media_type=PROTOBUF)


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


async def _read(body: bytes, adapter: Adapter, caller: Caller, parts: Parts) -> Found:
    """The events of a body, priced."""

    def read() -> Found:
        found = adapter(body, caller.tenant)
        found.events = list(price_events(found.events, parts.book, parts.config.price, PriceTally()))
        return found

    try:
        return await run_in_threadpool(read) if len(body) > SLOW_BYTES else read()
    except BadBody as bad:
        raise Problem(400, "bad_body", str(bad)) from None


async def _taken(found: Found, caller: Caller, parts: Parts, route: str) -> Response:
    """Accepted where anything was; else all that is wrong."""
    refused = [FieldProblem(index=each.place, field=each.field, expected=each.expected) for each in found.problems]
    if not found.events and refused:
        metrics.REFUSED_ITEMS.labels(route).inc(len(refused))
        raise Problem(422, "no_event", "no item is an event; see errors", refused)
    await _write(found, parts, route)
    answer = Accepted(accepted=len(found.events), refused=refused, dropped=found.dropped)
    return JSONResponse(answer.model_dump(exclude_none=True), 202)


async def _write(found: Found, parts: Parts, route: str) -> None:
    items = len(found.events) + len(found.problems)
    if items > parts.config.limits.items:
        raise Problem(413, "too_many_items", f"expected at most {parts.config.limits.items} items in a body")
    if found.events:
        await parts.writer.write(found.events)
    metrics.EVENTS.labels(route).inc(len(found.events))
    metrics.REFUSED_ITEMS.labels(route).inc(len(found.problems))
