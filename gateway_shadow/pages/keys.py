"""Keys and sessions of the tenant's people; a new key is shown once."""

from fastapi import Request, Response

from gateway_shadow import manage_people, manage_sessions
from gateway_shadow.auth import Caller, Operator
from gateway_shadow.documents import NamedInPath, NewKey, ShownKey, Why
from gateway_shadow.pages.forms import acted, or_none, read_as
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem

router = pages_router()


@router.get("/keys")
def show_keys(request: Request, caller: Operator, parts: Shared) -> Response:
    """All keys, and the sessions that are not over."""
    return _page(request, parts, caller)


@router.post("/keys")
def create(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """A new key: this page alone shows it."""
    try:
        day = or_none(form.get("expires_at"))
        wanted = read_as(
            NewKey, person=form.get("person", "").strip(), role=form.get("role"),
            expires_at=f"{day}T00:00:00Z" if day else None,
        )  # fmt: skip
    except Problem as error:
        answer = _page(request, parts, caller, problem=error, typed=form)
        answer.status_code = error.status_code
        return answer
    return _page(request, parts, caller, made=manage_people.create_key(wanted, caller, parts))


@router.post("/keys/{id_}/revoke")
def revoke(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """End a key at once."""

    def act() -> str:
        manage_people.revoke_key(id_, caller, parts, read_as(Why, why=or_none(form.get("why"))).why)
        return "/keys?done=revoked"

    return acted(act, lambda problem: _page(request, parts, caller, problem=problem))


@router.post("/sessions/{id_}/revoke")
def revoke_session(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """End a session at once."""

    def act() -> str:
        manage_sessions.revoke_session(id_, caller, parts, read_as(Why, why=or_none(form.get("why"))).why)
        return "/keys?done=revoked"

    return acted(act, lambda problem: _page(request, parts, caller, problem=problem))


def _page(
    request: Request, parts: Parts, caller: Caller, *, problem: Problem | None = None,
    typed: dict[str, str] | None = None, made: ShownKey | None = None,
) -> Response:  # fmt: skip
    return show(
        request, parts, caller, "keys.html", keys=manage_people.list_keys(caller, parts),
        sessions=manage_sessions.list_sessions(caller, parts), problem=problem, typed=typed or {}, made=made,
        roles=("viewer", "editor", "approver", "operator", "ingest", "content"),
    )  # fmt: skip
