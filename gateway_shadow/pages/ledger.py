"""The ledger: events as they were recorded, page by page."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request, Response

from gateway_shadow.auth import Caller, Reader
from gateway_shadow.ledger.filters import Chosen
from gateway_shadow.ledger.read_ledger import list_events
from gateway_shadow.pages.addresses import with_query
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import pages_router
from gateway_shadow.pages.sections import section
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import FieldProblem, Problem

router = pages_router()
A_PAGE = 50
FILTERS = (
    "team", "employee", "customer", "project", "workflow", "agent", "vendor", "model", "source", "id",
)  # fmt: skip
Typed = Annotated[str, Query(max_length=300)]


@router.get("/ledger")
def show_ledger(
    request: Request, caller: Reader, parts: Shared, from_: Annotated[str, Query(alias="from", max_length=40)] = "",
    to: Typed = "", cursor: Typed = "",
) -> Response:  # fmt: skip
    """The latest first."""
    said = {name: request.query_params.get(name, "").strip()[:128] for name in FILTERS}
    chosen = {name: value for name, value in said.items() if value}
    times = {"from": from_.strip(), "to": to.strip()}
    found = section(parts.outages, "ledger", lambda: _events(parts, caller, chosen, times, cursor or None))
    rows = found.value["items"] if found.value else []
    following = found.value["next"] if found.value else None
    return show(
        request, parts, caller, "ledger.html", found=found, rows=rows, said=said, times=times, filters=FILTERS,
        older=with_query("/ledger", **chosen, **times, cursor=following) if following else None,
    )  # fmt: skip


def _events(parts: Parts, caller: Caller, said: dict[str, str], times: dict[str, str], cursor: str | None) -> Any:
    chosen = Chosen(said, _midnight("from", times["from"]), _midnight("to", times["to"]))
    return msgspec.json.decode(list_events(caller, parts, chosen, cursor, A_PAGE, "desc").body)


def _midnight(name: str, text: str) -> datetime | None:
    """The beginning of a UTC day. Raises Problem."""
    try:
        return datetime.fromisoformat(f"{text}T00:00:00+00:00") if text else None
    except ValueError:
        expected = FieldProblem(field=name, expected="a day such as 2026-05-01")
        raise Problem(422, "bad_field", "see errors", [expected]) from None
