"""What the ways in have in common: who the browser is already, and the cookie that a new session gets."""

from typing import NamedTuple

from fastapi import Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gateway_shadow import metrics
from gateway_shadow.login.pages import You
from gateway_shadow.login.paths import HOME, quoted
from gateway_shadow.login.secrets import csrf_token
from gateway_shadow.login.visitors import address_of
from gateway_shadow.parts import Parts
from gateway_shadow.problems import Problem
from policy_store import sessions
from policy_store.sessions import Begun, Grant, Session


class Present(NamedTuple):
    """A browser that has a session, and what a page says of it."""

    session: Session
    you: You


async def session_of(request: Request, parts: Parts) -> Session | None:
    """The browser's session, if it has one that is not over. Raises Problem 429, 503."""
    text = parts.login.site.session_text(request)
    if not text:
        return None
    try:
        return await parts.login.visitors.session(text, address_of(request))
    except Problem as error:
        if error.code != "no_session":
            raise
        return None


async def present(request: Request, parts: Parts) -> Present | None:
    """Who the browser is, with all of their grants."""
    session = await session_of(request, parts)
    if session is None:
        return None
    grants = await run_in_threadpool(_grants, parts, session)
    token = csrf_token(parts.login.site.session_text(request))
    return Present(session, You(session.person, Grant(session.tenant, session.role), grants, token))


def _grants(parts: Parts, session: Session) -> list[Grant]:
    with parts.database.read() as connection:
        return sessions.grants_of(connection, session.id)


async def entered(request: Request, parts: Parts, begun: Begun, to: str, way: str) -> Response:
    """The answer to who came in: a new session, never one that the browser has brought; the one before is ended."""
    await run_in_threadpool(parts.login.arrivals.replaced, await session_of(request, parts))
    metrics.SIGN_INS.labels(way, "in").inc()
    has_choice = len(await run_in_threadpool(_grants, parts, begun.session)) > 1
    answer = RedirectResponse(f"{HOME}?next={quoted(to)}" if has_choice else to, 303)
    kept(request, parts, answer, begun)
    return answer


def kept(request: Request, parts: Parts, answer: Response, begun: Begun) -> None:
    """Have the browser keep its session for as long as it may last."""
    lasts_s = (begun.session.expires_ms - parts.changes.now_ms()) // 1000
    parts.login.site.keep(request, answer, begun.text, max(lasts_s, 1))
