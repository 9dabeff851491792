"""Keys and sessions of the tenant's people; a new key is shown once."""

from fastapi import Request, Response

from gateway_shadow import manage_people
from gateway_shadow.auth import Caller, Operator
from gateway_shadow.documents import NamedInPath, NewKey, Rotation, ShownKey, Why
from gateway_shadow.login import manage_sessions
from gateway_shadow.pages.forms import OVERLAPS, acted, chosen, or_none, read_as, refused
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store.errors import StoreError

router = pages_router()


@router.get("/keys")
def show_keys(request: Request, caller: Operator, parts: Shared) -> Response:
    """All keys, and the sessions that are not over."""
    return _page(request, parts, caller)


@router.post("/keys")
def create(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """A new key: this page alone shows it."""
    try:
        said = {"person": form.get("person", "").strip(), "role": form.get("role"), "expires_at": _day(form)}
        made = manage_people.create_key(read_as(NewKey, **said), caller, parts)
    except (Problem, StoreError) as error:
        return refused(error, lambda problem: _page(request, parts, caller, problem=problem, typed=form))
    return _page(request, parts, caller, made=made)


@router.post("/keys/{id_}/rotate")
def rotate(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """A new key in place of one, which goes on for a while: this page alone shows it."""
    try:
        wanted = read_as(Rotation, overlap_s=chosen(OVERLAPS, form.get("overlap")), expires_at=_day(form))
        made = manage_people.rotate_key(id_, wanted, caller, parts)
    except (Problem, StoreError) as error:
        return refused(error, lambda problem: _page(request, parts, caller, problem=problem))
    return _page(request, parts, caller, made=made)


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


def _day(form: dict[str, str]) -> str | None:
    """The beginning of a day, in UTC."""
    day = or_none(form.get("expires_at"))
    return f"{day}T00:00:00Z" if day else None


def _page(
    request: Request, parts: Parts, caller: Caller, *, problem: Problem | None = None,
    typed: dict[str, str] | None = None, made: ShownKey | None = None,
) -> Response:  # fmt: skip
    return show(
        request, parts, caller, "keys.html", keys=manage_people.list_keys(caller, parts),
        sessions=manage_sessions.list_sessions(caller, parts), problem=problem, typed=typed or {}, made=made,
        overlaps=tuple(OVERLAPS),
        roles=("viewer", "editor", "approver", "operator", "ingest", "content"),
    )  # fmt: skip
