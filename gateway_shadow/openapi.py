"""What the OpenAPI document says of bodies that are read as they come, and the document itself."""

from typing import Any

from fastapi import Request, Response
from msgspec import Struct
from starlette.responses import JSONResponse

from gateway_shadow.auth import SECURITY
from gateway_shadow.problems import MEDIA_TYPE, ProblemDocument
from spendgate.model.schemas import Schema, of_struct

_EVENT = {
    "id": "run-42-call-7", "source": "claims-agent", "time": "2026-05-01T10:00:00Z", "team": "claims",
    "employee": "e-17", "workflow": "prior-authorisation", "vendor": "openai", "model": "gpt-5",
    "input_tokens": 1200, "output_tokens": 350, "cost_nano_usd": 5000000,
}  # fmt: skip
_WITH_CONTENT = {**_EVENT, "content": {"prompt": "Is this covered?", "response": "Yes."}}
_CLOUD = {
    "specversion": "1.0", "id": "c-1", "source": "gateway", "type": "prompt", "subject": "customer-1",
    "time": "2026-05-01T10:00:00Z", "data": {"tokens": "12", "type": "input", "model": "gpt-5", "provider": "openai"},
}  # fmt: skip
_LITELLM = {
    "id": "chatcmpl-1", "litellm_call_id": "l-1", "call_type": "acompletion", "startTime": 1777629600.0,
    "endTime": 1777629601.5, "response_cost": 0.000225, "model": "gpt-5", "custom_llm_provider": "openai",
    "prompt_tokens": 10, "completion_tokens": 5, "request_tags": ["team:claims"],
}  # fmt: skip
_OBJECT = {"type": "object"}
_OBJECTS = {"type": "array", "items": _OBJECT}

EVENTS_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [_OBJECT, _OBJECTS]},
                "examples": {
                    "one": {"value": _EVENT},
                    "several": {"value": [_EVENT]},
                    "with content, where the privacy mode takes any": {"value": _WITH_CONTENT},
                },
            },
            "application/x-ndjson": {"schema": {"type": "string"}},
            "application/cloudevents+json": {"schema": _OBJECT, "example": _CLOUD},
            "application/cloudevents-batch+json": {"schema": _OBJECTS, "example": [_CLOUD]},
        },
    }
}
LITELLM_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"oneOf": [_OBJECT, _OBJECTS]}, "example": [_LITELLM]}},
    }
}
TRACES_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": _OBJECT, "example": {"resourceSpans": []}},
        },
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems that a route may answer, besides those of every route."""
    return {
        status: {"model": ProblemDocument, "content": {MEDIA_TYPE: {}}, "description": "See the problem document."}
        for status in statuses
    }


def bare(struct: type[Struct], example: Schema) -> Schema:
    """Of a bare route: the body that it reads, and that it needs a key."""
    content = {"application/json": {"schema": _inlined(of_struct(struct)), "example": example}}
    return {"requestBody": {"required": True, "content": content}, "security": SECURITY}


def answered(struct: type[Struct]) -> dict[int | str, dict[str, Any]]:
    """Of a bare route: what it answers where all is well."""
    schema = _inlined(of_struct(struct))
    return {200: {"description": "Successful Response", "content": {"application/json": {"schema": schema}}}}


def _inlined(document: Schema) -> Schema:
    """A schema whose definitions stand where they are referred to, for it stands within another document."""
    definitions = document.get("$defs", {})

    def put(node: Any) -> Any:
        if isinstance(node, list):
            return [put(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return put(definitions[node["$ref"].rpartition("/")[2]])
        return {name: put(value) for name, value in node.items() if name not in ("$schema", "$defs")}

    found: Schema = put(document)
    return found


COMMON = problems(401, 403, 422, 429, 500, 503)
BODIES = problems(400, 413, 415, 422)


def document(request: Request) -> Response:
    """The API's document. A thread builds it when it is first asked for, which takes a second: no check waits."""
    return JSONResponse(request.app.openapi())
