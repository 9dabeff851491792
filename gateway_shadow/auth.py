"""Who asks: by a key, else by the session of a browser. The tenant comes from there and from nowhere else.

What the store said of a key is believed for a second, so a revocation holds everywhere within two. While the store is
away nobody can be let in anew; who was let in goes on for some minutes, so that a sender loses nothing by it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from sqlalchemy import Connection

from gateway_shadow import metrics
from gateway_shadow.beliefs import WITHOUT_STORE_S, Beliefs
from gateway_shadow.callers import RIGHTS, Caller, Right
from gateway_shadow.login.site import SECURE_COOKIE
from gateway_shadow.patience import ATTEMPTS, Patience
from gateway_shadow.problems import Problem
from policy_store import api_keys, sessions
from policy_store.api_keys import ApiKey
from policy_store.change import now_ms
from policy_store.clock import Forward
from policy_store.database import Database
from policy_store.errors import StoreAway

__all__ = ["ATTEMPTS", "RIGHTS", "Approver", "Caller", "Doorkeeper", "Editor", "Operator", "Reader", "Sender", "holds"]


@dataclass
class Doorkeeper:
    """Looks keys up. Times: ``clock`` is monotonic seconds, ``now_ms`` the time of day."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = now_ms
    patience: Patience = field(init=False)
    _known: Beliefs[ApiKey] = field(init=False)

    def __post_init__(self) -> None:
        self.now_ms = Forward(self.now_ms)
        self.patience, self._known = Patience(self.clock), Beliefs(self.clock, self._looked_up)

    async def caller(self, text: str, address: str) -> Caller:
        """Whose key this is. Raises Problem 401, 429 after many failures from one address, 503 without the store."""
        parts = api_keys.parse(text)
        if parts is not None and (known := self._proven(parts, self._known.in_use(parts.id))) is not None:
            return known
        if not text:
            raise _no_key()
        self.patience.require(address)
        if parts is None:
            raise self._wrong(address)
        try:
            key = await self._known.ask(parts.id)
        except StoreAway:
            known = self._proven(parts, self._known.get(parts.id, WITHOUT_STORE_S))
            if known is None:
                raise
            return known
        if not api_keys.proves(parts.secret, key) or key is None or not key.is_valid(self.now_ms()):
            raise self._wrong(address)
        return _caller_of(key)

    def _proven(self, parts: api_keys.Parts, key: ApiKey | None) -> Caller | None:
        if key is None or not key.is_valid(self.now_ms()):
            return None
        return _caller_of(key) if api_keys.proves(parts.secret, key) else None

    def _looked_up(self, id_: str) -> ApiKey | None:
        with self.database.read() as connection:
            return api_keys.get(connection, id_)

    def _wrong(self, address: str) -> Problem:
        metrics.FAILED_KEYS.inc()
        self.patience.failed(address)
        return _no_key()


def _caller_of(key: ApiKey) -> Caller:
    return Caller(key.tenant, key.person, key.role, key.id)


def _no_key() -> Problem:
    words = "expected a key that is valid, as `Authorization: Bearer sgk_...`"
    return Problem(401, "bad_key", words, headers={"WWW-Authenticate": "Bearer"})


def holds(connection: Connection, caller: Caller, at_ms: int) -> bool:
    """Whether a caller's key or session is still good, and stands for the same."""
    found: ApiKey | sessions.Session | None = (
        sessions.get(connection, caller.key_id) if caller.has_session else api_keys.get(connection, caller.key_id)
    )
    return found is not None and found.is_valid(at_ms) and (found.tenant, found.role) == (caller.tenant, caller.role)


_bearer = HTTPBearer(auto_error=False, description="A key of spendgate: `sgk_...`.")
_header = APIKeyHeader(
    name="X-Api-Key", auto_error=False, description="The same, for senders that set no other header."
)
_cookie = APIKeyCookie(
    name=SECURE_COOKIE, auto_error=False, description="The session of a browser (`spendgate` where the door's address "
    "is not https). What changes something needs `X-CSRF-Token` too, as `/v1/session` tells it.",
)  # fmt: skip


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
    _: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    return await _known(request, bearer.credentials if bearer is not None else header or "")


async def _known(request: Request, text: str) -> Caller:
    parts = request.app.state.parts
    found: Caller | None = None if text else await parts.login.visitors.caller(request)
    return found or await parts.keeper.caller(text, request.client.host if request.client else "")


def needs(right: Right) -> Callable[..., object]:
    """The dependency of a route: a caller whose role has the right."""

    async def checked(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        return _permitted(caller, right)

    return checked


def _permitted(caller: Caller, right: Right) -> Caller:
    if right not in RIGHTS[caller.role]:
        roles = ", ".join(role for role, rights in RIGHTS.items() if right in rights)
        what = "session" if caller.has_session else "key"
        raise Problem(403, "not_allowed", f"expected a {what} with the role {roles}; this one is {caller.role}")
    return caller


async def require(request: Request, right: Right) -> Caller:
    """As ``needs``, for a bare route. Raises Problem."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        text = request.headers.get("x-api-key", "")
    return _permitted(await _known(request, text.strip()), right)


SECURITY: list[dict[str, list[str]]] = [{_bearer.scheme_name: []}, {_header.scheme_name: []}]
"""What the document says of a bare route that needs a key."""

Sender = Annotated[Caller, Depends(needs("ingest"))]
Reader = Annotated[Caller, Depends(needs("read"))]
Editor = Annotated[Caller, Depends(needs("edit"))]
Approver = Annotated[Caller, Depends(needs("approve"))]
Operator = Annotated[Caller, Depends(needs("operate"))]
ContentReader = Annotated[Caller, Depends(needs("content"))]
