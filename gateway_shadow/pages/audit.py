"""The audit trail, in order, and whether it is whole."""

from typing import Annotated

from fastapi import Query, Request, Response

from gateway_shadow import manage_people
from gateway_shadow.auth import Operator
from gateway_shadow.pages.addresses import with_query
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import pages_router
from gateway_shadow.parts import Shared

router = pages_router()
A_PAGE = 100


@router.get("/audit")
def show_audit(
    request: Request, caller: Operator, parts: Shared, verify: Annotated[str, Query(max_length=3)] = "",
    after: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
) -> Response:  # fmt: skip
    """The latest hundred rows, or those after one."""
    trail = manage_people.verify_audit(caller, parts) if verify else None
    last = manage_people.last_number(caller, parts)
    begin = max(0, last - A_PAGE) if after is None else after
    entries = manage_people.read_audit(caller, parts, begin, A_PAGE)
    return show(
        request, parts, caller, "audit.html", entries=entries[::-1], trail=trail,
        older=with_query("/audit", after=max(0, begin - A_PAGE) or "0") if begin else None,
        newer=with_query("/audit", after=begin + A_PAGE) if begin + A_PAGE < last else None,
    )  # fmt: skip
