"""Routes of pages: what is a problem document to a program is a page to a person, and who is not signed in is led
there. Any router of pages takes it: ``APIRouter(route_class=PageRoute)``."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse

from gateway_shadow.login import pages
from gateway_shadow.login.paths import quoted
from gateway_shadow.problems import Problem, of_store, title_of
from policy_store.errors import StoreError


class PageRoute(APIRoute):
    """A route whose answers people read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See FastAPI."""
        run = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await run(request)
            except (HTTPException, StoreError) as error:
                if "text/html" not in request.headers.get("accept", ""):
                    raise
                return _shown(request, of_store(error) if isinstance(error, StoreError) else error)

        return handled


def _shown(request: Request, error: HTTPException) -> Response:
    is_stranger = isinstance(error, Problem) and error.code in ("bad_key", "no_session")
    if is_stranger and request.method == "GET":
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quoted(here)}", 303)
    words = str(error.detail)[:1].upper() + str(error.detail)[1:]
    answer = pages.problem(title_of(error.status_code), words, error.status_code, str(request.state.request_id))
    answer.headers.update(error.headers or {})
    return answer
