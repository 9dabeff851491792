"""The API for people to read, from the door's own document: nothing of it comes from elsewhere."""

from typing import Annotated

from fastapi import Depends, Request, Response

from gateway_shadow.callers import Caller
from gateway_shadow.pages.api_view import groups_of
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import caller_of, pages_router
from gateway_shadow.parts import Shared

router = pages_router()


async def _visitor(request: Request, parts: Shared) -> Caller | None:
    return await caller_of(request, parts)


@router.get("/docs")
def show_api(request: Request, caller: Annotated[Caller | None, Depends(_visitor)], parts: Shared) -> Response:
    """Every route, what it takes and what it answers; for anybody, as ``/openapi.json`` is."""
    document = request.app.openapi()
    return show(
        request, parts, caller, "api.html", groups=groups_of(document),
        version=document["info"]["version"], origin=str(request.base_url).rstrip("/"),
    )  # fmt: skip
