"""Signing in with a key, choosing a grant, signing out: pages for people. They are there without a provider too."""

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gateway_shadow import metrics
from gateway_shadow.login import pages
from gateway_shadow.login.entering import entered, kept, present
from gateway_shadow.login.forms import form_of
from gateway_shadow.login.grants import NotAdmitted
from gateway_shadow.login.page_route import PageRoute
from gateway_shadow.login.paths import HOME, own_path, quoted
from gateway_shadow.login.visitors import address_of
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store import sessions
from policy_store.errors import Refused
from policy_store.sessions import Begun, Session

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get(HOME)
async def sign_in(request: Request, parts: Shared, next: str = "") -> Response:  # noqa: A002 - the name in the address
    """Who one is, or how to get in."""
    to = own_path(next)
    here = await present(request, parts)
    if here is not None:
        return pages.signed_in(here.you, quoted(to), "/" if to == HOME else to)
    oidc = parts.login.config.oidc
    return pages.sign_in(quoted(to), None if oidc is None else oidc.name)


@router.post("/login/key")
async def sign_in_with_key(request: Request, parts: Shared, next: str = "") -> Response:  # noqa: A002
    """A session for a key."""
    parts.login.site.require_own_page(request)
    text = (await form_of(request)).get("key", "").strip()
    try:
        caller = await parts.keeper.caller(text, address_of(request))
        begun = await run_in_threadpool(parts.login.arrivals.by_key, caller)
    except (Problem, NotAdmitted) as error:
        metrics.SIGN_INS.labels("key", "refused").inc()
        if isinstance(error, NotAdmitted):
            raise Problem(403, error.code, str(error)) from None
        if error.status_code == 401:
            await run_in_threadpool(parts.login.arrivals.refused_key, text)
            raise Problem(403, "wrong_key", "expected a key that is valid, such as sgk_...") from None
        raise
    return await entered(request, parts, begun, own_path(next), "key")


@router.post("/login/switch")
async def switch(request: Request, parts: Shared, next: str = "") -> Response:  # noqa: A002
    """Put another grant of the session in force."""
    session = await _proven(request, parts)
    form = await form_of(request)
    wanted = (form.get("tenant", ""), form.get("role", ""))
    begun = await run_in_threadpool(_switched, parts, session, wanted)
    answer = RedirectResponse(own_path(next), 303)
    kept(request, parts, answer, begun)
    return answer


def _switched(parts: Parts, session: Session, wanted: tuple[str, str]) -> Begun:
    with parts.database.read() as connection:
        grant = next((each for each in sessions.grants_of(connection, session.id) if each == wanted), None)
    if grant is None:
        raise Problem(409, "not_granted", "tenant, role: expected a grant of the session")
    with parts.changes.of(grant.tenant, session.person) as change:
        return sessions.switch(change, session.id, grant.role)


@router.post("/logout")
async def sign_out(request: Request, parts: Shared) -> Response:
    """End the session, here and, where it has a place for that, at the provider."""
    session = await _proven(request, parts)
    out = await _way_out(parts, session, f"{parts.login.site.origin(request)}{HOME}")
    await run_in_threadpool(_end, parts, session)
    answer: Response = RedirectResponse(HOME, 303) if out is None else pages.leads("You are signed out here", out)
    parts.login.site.keep(request, answer, "", 0)
    return answer


async def _way_out(parts: Parts, session: Session, back: str) -> str | None:
    """Where a session that the provider began ends at the provider too."""
    if parts.login.provider is None or session.rules is None:
        return None
    return await parts.login.provider.way_out(parts.login.secrets.opened(session.id_token_sealed), back)


def _end(parts: Parts, session: Session) -> None:
    parts.login.visitors.forget(session.id)
    try:
        with parts.changes.of(session.tenant, session.person) as change:
            sessions.end(change, session.id)
    except Refused:
        pass  # over in this very moment


async def _proven(request: Request, parts: Parts) -> Session:
    """The session, whose page has asked for this. Raises Problem."""
    if await parts.login.visitors.caller(request) is None:
        raise Problem(401, "no_session", "the session is over, or never was: sign in again")
    return await parts.login.visitors.session(parts.login.site.session_text(request), address_of(request))
