"""What the door answers where it does not do what it was asked: ``application/problem+json`` (RFC 9457).

A problem names the field and what was expected there, and never repeats a value.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from gateway_shadow.outages import Outage
from policy_store.errors import Exists, NotFound, Refused, Stale, StoreAway, StoreError
from spendgate.model.text import echo_field

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "The request cannot be read", 401: "A key or a session is needed", 403: "Not allowed", 404: "Not found",
    405: "Not a method of this address", 408: "The request took too long to arrive", 409: "Not possible now",
    412: "It has changed meanwhile", 413: "The request is too large", 415: "Not a media type that is taken here",
    422: "Something in the request is not as expected", 428: "Which revision is meant",
    429: "Too many failed attempts", 500: "A fault of ours", 503: "Not available now",
}  # fmt: skip


class FieldProblem(BaseModel):
    """What is wrong at one place of a request. ``index``: of an item in the body, from 0."""

    index: int | None = None
    field: str | None = None
    expected: str


class ProblemDocument(BaseModel):
    """RFC 9457, with what is wrong field by field, and the id under which the log knows the request. Where a store is
    away: ``since`` when, as this door has seen it, and ``meaning``, for enforcement too."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FieldProblem] = []
    since: datetime | None = None
    meaning: str | None = None


class Problem(HTTPException):
    """Ends a request with a problem document. ``code`` names the kind, for programs."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Iterable[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(status, detail, dict(headers or {}))
        self.code = code
        self.errors = list(errors)


def title_of(status: int) -> str:
    """What kind of problem a status is, in words."""
    return _TITLES.get(status, "A problem")


def of_store(error: StoreError) -> Problem:
    """What the store refused, as a problem."""
    match error:
        case NotFound():
            return Problem(404, error.code, str(error))
        case Stale():
            return Problem(412, error.code, str(error))
        case StoreAway():
            return Problem(503, error.code, str(error), headers={"Retry-After": "2"})
        case Exists() | Refused():
            return Problem(409, error.code, str(error))
        case _:
            return Problem(500, "fault", "the store failed")


def response_of(problem: Problem, request_id: str, away: Outage | None = None) -> JSONResponse:
    """The answer. ``away``: the store that does not."""
    document = ProblemDocument(
        type=f"urn:spendgate:problem:{problem.code}",
        title=title_of(problem.status_code),
        status=problem.status_code,
        detail=problem.detail,
        request_id=request_id,
        errors=problem.errors,
        since=None if away is None else datetime.fromtimestamp(away.since_ms // 1000, UTC),
        meaning=None if away is None else away.meaning,
    )
    return JSONResponse(
        document.model_dump(mode="json", exclude_none=True), problem.status_code, problem.headers, media_type=MEDIA_TYPE
    )


def install(app: FastAPI) -> None:
    """Have all failures of an app answered so."""

    def answered(request: Request, error: Exception) -> JSONResponse:
        problem = problem_of(error)
        away = request.app.state.parts.outages.of_code(problem.code)
        return response_of(problem, getattr(request.state, "request_id", "-"), away)

    for kind in (HTTPException, RequestValidationError, StoreError):
        app.add_exception_handler(kind, answered)


def problem_of(error: Exception) -> Problem:
    """Any failure of a route, as a problem."""
    match error:
        case Problem():
            return error
        case StoreError():
            return of_store(error)
        case RequestValidationError():
            return Problem(422, "bad_field", "see errors", fields_of(error.errors()))
        case HTTPException():
            return Problem(error.status_code, "http", title_of(error.status_code), headers=error.headers)
        case _:
            return Problem(500, "fault", "a fault of ours; the log has it under the request's id")


def fields_of(errors: Iterable[Any]) -> list[FieldProblem]:
    """What pydantic has found, field by field."""
    return [_field(each) for each in errors]


def _field(error: Mapping[str, Any]) -> FieldProblem:
    """Of pydantic's words only those that hold no value are passed on."""
    place = [str(part) for part in error["loc"] if part not in ("body", "query", "path", "header")]
    kind = str(error["type"])
    if kind == "extra_forbidden":
        named = ".".join([*place[:-1], *map(echo_field, place[-1:])])
        return FieldProblem(field=named or None, expected="only fields of the schema")
    words = "valid JSON" if kind == "json_invalid" else str(error["msg"])
    return FieldProblem(field=".".join(place) or None, expected=words)
