"""Signing in by the provider: there, and back again. These routes exist only where one is configured."""

import logging
from hashlib import sha256
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from gateway_shadow import metrics
from gateway_shadow.login.entering import entered
from gateway_shadow.login.grants import NotAdmitted
from gateway_shadow.login.page_route import PageRoute
from gateway_shadow.login.parts import CALLBACK
from gateway_shadow.login.paths import own_path
from gateway_shadow.login.provider import Arrived, Provider, ProviderAway, SignInRefused, refusal_of
from gateway_shadow.login.secrets import PENDING_S, Pending
from gateway_shadow.login.visitors import address_of
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store.sessions import Begun

log = logging.getLogger(__name__)
router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/login/oidc")
async def to_provider(request: Request, parts: Shared, next: str = "") -> Response:  # noqa: A002 - as in the address
    """Send a browser to the provider; what must come back is kept in a cookie of it, signed."""
    parts.keeper.patience.require(address_of(request))
    try:
        way = await _provider(parts).way()
    except ProviderAway as error:
        raise _away(error) from None
    answer = RedirectResponse(way.url, 302)
    pending = Pending(way.state, way.nonce, way.verifier, own_path(next))
    parts.login.site.keep(request, answer, parts.login.secrets.signed(pending), PENDING_S, _suffix(way.state))
    return answer


@router.get(CALLBACK)
async def from_provider(
    request: Request, parts: Shared, state: str = "", code: str = "", error: str = "",
    iss: Annotated[str | None, Query()] = None,
) -> Response:  # fmt: skip
    """Who comes back gets a session, if the provider's word can be trusted and gives a role here."""
    address = address_of(request)
    parts.keeper.patience.require(address)
    try:
        pending = _pending(request, parts, state)
        if error or not code:
            raise refusal_of(error)
        arrived = await _provider(parts).arrived(code, pending.verifier, pending.nonce, iss)
        begun = await _begun(parts, arrived)
    except ProviderAway as problem:
        raise _away(problem) from None
    except (SignInRefused, NotAdmitted) as problem:
        parts.keeper.patience.failed(address)
        metrics.SIGN_INS.labels("oidc", "refused").inc()
        log.warning("sign-in refused: %s", problem.code)
        raise Problem(403, problem.code, str(problem)) from None
    answer = await entered(request, parts, begun, pending.to, "oidc")
    parts.login.site.keep(request, answer, "", 0, _suffix(state))
    return answer


async def _begun(parts: Parts, arrived: Arrived) -> Begun:
    oidc = _provider(parts).config
    try:
        return await run_in_threadpool(parts.login.arrivals.by_provider, arrived, oidc)
    except NotAdmitted as error:
        await run_in_threadpool(parts.login.arrivals.refused, error, arrived)
        raise


def _pending(request: Request, parts: Parts, state: str) -> Pending:
    name = parts.login.site.cookie(request, _suffix(state))
    pending = parts.login.secrets.pending(request.cookies.get(name, ""))
    if pending is None or not state or pending.state != state:
        words = f"this sign-in was not begun in this browser within the last {PENDING_S // 60} minutes: begin again"
        raise SignInRefused("bad_state", words)
    return pending


def _suffix(state: str) -> str:
    """One cookie a sign-in, so that two windows may sign in at once."""
    return f"-{sha256(state.encode()).hexdigest()[:8]}"


def _provider(parts: Parts) -> Provider:
    assert parts.login.provider is not None, "the routes are there only where it is"
    return parts.login.provider


def _away(error: ProviderAway) -> Problem:
    metrics.SIGN_INS.labels("oidc", "away").inc()
    log.warning("sign-in waits: %s", error)
    return Problem(503, "provider_away", f"{error}; keys go on", headers={"Retry-After": "10"})
