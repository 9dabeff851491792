"""A key for a person's command line: the browser asks them, and hands the command a code for one.

As for native apps (RFC 8252, section 7.3): the command listens on this machine's loopback address for the code, or the
person carries it over by hand; and it proves by a secret that the code is meant for it (PKCE, RFC 7636).
"""

import re
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from gateway_shadow import metrics
from gateway_shadow.documents import KeyDocument, ShownKey
from gateway_shadow.login import pages
from gateway_shadow.login.entering import Present, present
from gateway_shadow.login.forms import form_of
from gateway_shadow.login.page_route import PageRoute
from gateway_shadow.login.pages import Asked
from gateway_shadow.login.paths import HOME, quoted
from gateway_shadow.login.visitors import address_of
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store import api_keys, login_codes
from policy_store.api_keys import Shown
from policy_store.errors import Refused

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_CHALLENGE = re.compile("[A-Za-z0-9_-]{43}", re.ASCII)
_STATE = re.compile("[A-Za-z0-9_-]{16,64}", re.ASCII)
_LEAST_PORT = 1024


class Redemption(BaseModel):
    """A code, and the secret whose SHA-256 came with the question."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(pattern="^[A-Za-z0-9]{43}$")]
    verifier: Annotated[str, Field(pattern="^[A-Za-z0-9._~-]{43,128}$")]


@router.get("/login/cli")
async def ask(
    request: Request, parts: Shared, port: str = "", state: str = "", challenge: str = "", tenant: str = "",
    role: str = "",
) -> Response:  # fmt: skip
    """Ask the person whether the command gets a key."""
    asked = _checked(Asked(port, state, challenge, tenant, role))
    here = await present(request, parts)
    if here is None:
        return RedirectResponse(f"{HOME}?next={quoted(f'{request.url.path}?{request.url.query}')}", 303)
    _require_provider(here)
    return pages.consent(here.you, asked, _hours(parts))


@router.post("/login/cli")
async def give(request: Request, parts: Shared) -> Response:
    """The person has agreed: a code for the command."""
    if await parts.login.visitors.caller(request) is None or (here := await present(request, parts)) is None:
        raise Problem(401, "no_session", "the session is over, or never was: sign in again")
    _require_provider(here)
    form = await form_of(request)
    tenant, _, role = form.get("grant", "").partition(" ")
    port, state, challenge = (form.get(name, "") for name in ("port", "state", "challenge"))
    asked = _checked(Asked(port, state, challenge, tenant, role))
    text = await run_in_threadpool(_offered, parts, here, asked)
    if not asked.port:
        return pages.code(text)
    return pages.leads("Back to the command", f"http://127.0.0.1:{asked.port}/?code={text}&state={asked.state}")


def _offered(parts: Parts, here: Present, asked: Asked) -> str:
    grant = next((each for each in here.you.grants if each == (asked.tenant, asked.role)), None)
    if grant is None:
        raise Problem(409, "not_granted", "grant: expected one of the session's")
    with parts.changes.of(grant.tenant, here.session.person) as change:
        return login_codes.offer(change, here.session, grant, asked.challenge)


@router.post("/login/cli/token", status_code=201)
async def redeem(wanted: Redemption, request: Request, parts: Shared) -> ShownKey:
    """The command's key, for its code and secret."""
    parts.keeper.patience.require(address_of(request))
    try:
        made = await run_in_threadpool(_key, parts, wanted)
    except Refused as error:
        parts.keeper.patience.failed(address_of(request))
        metrics.SIGN_INS.labels("command", "refused").inc()
        raise Problem(403, error.code, str(error)) from None
    metrics.SIGN_INS.labels("command", "in").inc()
    return ShownKey(key=made.text, about=KeyDocument.of(made.key))


def _key(parts: Parts, wanted: Redemption) -> Shown:
    with parts.database.read() as connection:
        code = login_codes.find(connection, wanted.code)
    if code is None:
        raise Refused("bad_code", "code: expected one that was given within the last minute, to this command, for once")
    with parts.changes.of(code.tenant, code.person) as change:
        login_codes.redeem(change, code, wanted.verifier)
        made = api_keys.create(change, code.person, code.role, change.now_ms + _lasts_s(parts) * 1000)
        change.note("login", f"key {made.key.id}", None, {"by": f"session {code.session}", "role": code.role})
        return made


def _checked(asked: Asked) -> Asked:
    port = asked.port
    is_port = not port or (port.isascii() and port.isdecimal() and _LEAST_PORT <= int(port[:6]) <= 65535)
    if not (is_port and _STATE.fullmatch(asked.state) and _CHALLENGE.fullmatch(asked.challenge)):
        raise Problem(
            422, "bad_question", "port, state, challenge: expected them as `spendgate login --browser` sends them"
        )
    return asked


def _require_provider(here: Present) -> None:
    if here.session.key_id is not None:
        words = "a key gives no other keys: sign in by the provider, or give the command the key that you have"
        raise Problem(403, "by_key", words)


def _lasts_s(parts: Parts) -> int:
    assert parts.login.config.oidc is not None, "the routes are there only where it is"
    return parts.login.config.oidc.key_s


def _hours(parts: Parts) -> str:
    hours = _lasts_s(parts) / 3600
    return f"{hours:g} hour{'' if hours == 1 else 's'}"
