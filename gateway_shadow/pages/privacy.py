"""The tenant's privacy: modes, retention, keys by name, gateways; operators change them."""

from functools import partial
from typing import Any

from fastapi import Request, Response

from gateway_shadow.auth import Caller, Operator, Reader
from gateway_shadow.documents import NamedInPath
from gateway_shadow.pages import privacy_view
from gateway_shadow.pages.forms import acted, or_none, placed, read_as, revision_of
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.privacy import manage_privacy
from gateway_shadow.privacy.documents import NewGatewayKey, NewPrivacy, Reason, SecretRotation
from gateway_shadow.problems import Problem

router = pages_router()


@router.get("/privacy")
def show_privacy(request: Request, caller: Reader, parts: Shared) -> Response:
    """What is kept of calls, and what opens it; never a secret."""
    return _page(request, parts, caller)


@router.post("/privacy")
def change(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """Other modes and retention; or the form again with a scope more, or one fewer."""
    asked, _, which = form.get("act", "save").partition(":")
    if asked in ("add", "remove"):
        return _page(request, parts, caller, typed=privacy_view.with_scopes(form, asked, which))

    def act() -> str:
        wanted = read_as(NewPrivacy, settings=privacy_view.settings_of(form), why=form.get("why", "").strip())
        manage_privacy.set_privacy(wanted, Response(), caller, parts, revision_of(form))
        return "/privacy?done=private"

    return acted(act, partial(_page, request, parts, caller, typed=form))


@router.post("/privacy/keys/rotate")
def rotate(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """A new secret key in place of the current one."""

    def act() -> str:
        manage_privacy.rotate_secret(read_as(SecretRotation, purpose=form.get("purpose"), **_why(form)), caller, parts)
        return "/privacy?done=rotated"

    return acted(act, partial(_page, request, parts, caller))


@router.post("/privacy/keys/{id_}/destroy")
def destroy(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """End a retired key for good."""

    def act() -> str:
        manage_privacy.destroy_secret(id_, read_as(Reason, **_why(form)), caller, parts)
        return "/privacy?done=destroyed"

    return acted(act, partial(_page, request, parts, caller))


@router.post("/privacy/gateways")
def add_gateway(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """Register a gateway's public key."""

    def act() -> str:
        said = {name: form.get(name, "").strip() for name in ("name", "public")}
        wanted = read_as(NewGatewayKey, **said, why=or_none(form.get("why")))
        manage_privacy.add_gateway_key(wanted, caller, parts)
        return "/privacy?done=registered"

    return acted(act, partial(_page, request, parts, caller, gateway=form))


@router.post("/privacy/gateways/{id_}/revoke")
def revoke_gateway(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """End a gateway's key."""

    def act() -> str:
        manage_privacy.revoke_gateway_key(id_, read_as(Reason, **_why(form)), caller, parts)
        return "/privacy?done=revoked"

    return acted(act, partial(_page, request, parts, caller))


def _why(form: dict[str, str]) -> dict[str, Any]:
    return {"why": form.get("why", "").strip()}


def _page(
    request: Request, parts: Parts, caller: Caller, problem: Problem | None = None, *,
    typed: dict[str, str] | None = None, gateway: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    found = manage_privacy.get_privacy(Response(), caller, parts)
    said = privacy_view.said_of(found.settings) if typed is None else typed
    return show(
        request, parts, caller, "privacy.html", found=found, keys=manage_privacy.list_secrets(caller, parts),
        gateways=manage_privacy.list_gateway_keys(caller, parts), said=said, scopes=privacy_view.scopes_of(said),
        problem=placed(problem, privacy_view.names_of(said)), gateway=gateway or {}, view=privacy_view,
        is_tried=typed is not None,
    )  # fmt: skip
