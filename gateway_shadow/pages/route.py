"""Routes of the dashboard: what is a problem document to a program is a page to a person, with the same words. Who is
not signed in is led there; a form that came too late gets its text back."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from gateway_shadow.callers import Caller
from gateway_shadow.login.entering import session_of
from gateway_shadow.login.forms import TOKEN_FIELD, form_of, is_form
from gateway_shadow.login.paths import quoted
from gateway_shadow.pages.rendering import show
from gateway_shadow.parts import Parts, shared
from gateway_shadow.problems import Problem, problem_of, title_of
from policy_store.errors import StoreError

STRANGER = ("bad_key", "no_session")
Form = Annotated[dict[str, str], Depends(form_of)]
"""What a form has sent, by the names of its fields."""


class PagesRoute(APIRoute):
    """A route whose answers people read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        run = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await run(request)
            except (HTTPException, StoreError, RequestValidationError) as error:
                return await _shown(request, problem_of(error))

        return handled


def pages_router() -> APIRouter:
    """The router of a page."""
    return APIRouter(route_class=PagesRoute, include_in_schema=False)


async def _shown(request: Request, problem: Problem) -> Response:
    if problem.code in STRANGER and request.method == "GET":
        return RedirectResponse(f"/login?next={quoted(here(request))}", 303)
    parts = shared(request)
    typed = await _typed(request) if problem.code in (*STRANGER, "bad_csrf_token") else {}
    answer = await run_in_threadpool(
        show, request, parts, await caller_of(request, parts), "problem.html", problem.status_code,
        title=title_of(problem.status_code), problem=problem, typed=typed, request_id=str(request.state.request_id),
        away=parts.outages.of_code(problem.code),
    )  # fmt: skip
    answer.headers.update(problem.headers or {})
    return answer


def here(request: Request) -> str:
    """The address that was asked for, without its host."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _typed(request: Request) -> dict[str, str]:
    """What somebody has typed into a form that could not be taken, so that it is not lost; never a key."""
    if not is_form(request):
        return {}
    form = await form_of(request)
    return {name: text for name, text in form.items() if name not in (TOKEN_FIELD, "key", "revision") and text.strip()}


async def caller_of(request: Request, parts: Parts) -> Caller | None:
    """Who looks, for the frame; nobody where that cannot be known."""
    try:
        session = await session_of(request, parts)
    except (Problem, StoreError):
        return None
    return None if session is None else Caller(session.tenant, session.person, session.role, session.id)
