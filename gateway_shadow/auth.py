"""Who asks: a key, its tenant, its person and its role. The tenant comes from the key and from nowhere else.

What the store said of a key is believed for a second, so a revocation holds everywhere within two. While the store is
away nobody can be let in anew; who was let in goes on for some minutes, so that a sender loses nothing by it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple

from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials

from gateway_shadow import metrics
from gateway_shadow.problems import Problem
from policy_store import api_keys
from policy_store.api_keys import ApiKey, Role
from policy_store.change import now_ms
from policy_store.clock import Forward
from policy_store.database import Database
from policy_store.errors import StoreAway

Right = Literal["ingest", "read", "edit", "approve", "operate", "content"]
RIGHTS: Mapping[Role, frozenset[Right]] = {
    "ingest": frozenset({"ingest"}),
    "viewer": frozenset({"read"}),
    "editor": frozenset({"read", "edit"}),
    "approver": frozenset({"read", "approve"}),
    "operator": frozenset({"read", "operate"}),
    "content": frozenset({"read", "content"}),
}
"""What each role may do. A person may hold several keys, and stays one person."""

BELIEVED_S = 1.0
WITHOUT_STORE_S = 300.0
ATTEMPTS, ATTEMPTS_S = 20, 60.0
_MOST_KNOWN = 10_000


class Caller(NamedTuple):
    """Who asks."""

    tenant: str
    person: str
    role: Role
    key_id: str


class _Known(NamedTuple):
    secret_sha256: str
    caller: Caller
    expires_ms: int | None
    seen_s: float


@dataclass
class Doorkeeper:
    """Looks keys up. Times: ``clock`` is monotonic seconds, ``now_ms`` the time of day."""

    database: Database
    clock: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = now_ms
    _known: dict[str, _Known] = field(default_factory=dict)
    _failed: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now_ms = Forward(self.now_ms)

    async def caller(self, text: str, address: str) -> Caller:
        """Whose key this is. Raises Problem 401, 429 after many failures from one address, 503 without the store."""
        parts = api_keys.parse(text)
        if parts is not None and (known := self._believed(parts, BELIEVED_S)) is not None:
            return known
        if not text:
            raise _no_key()
        self._require_patience(address)
        if parts is None:
            raise self._wrong(address)
        try:
            key = await run_in_threadpool(self._looked_up, parts.id)
        except StoreAway:
            known = self._believed(parts, WITHOUT_STORE_S)
            if known is None:
                raise
            return known
        if not api_keys.proves(parts.secret, key) or key is None or not key.is_valid(self.now_ms()):
            self._known.pop(parts.id, None)
            raise self._wrong(address)
        return self._remember(key)

    def _believed(self, parts: api_keys.Parts, for_s: float) -> Caller | None:
        known = self._known.get(parts.id)
        if known is None or self.clock() - known.seen_s > for_s:
            return None
        if known.expires_ms is not None and self.now_ms() >= known.expires_ms:
            return None
        return known.caller if api_keys.proves_hash(parts.secret, known.secret_sha256) else None

    def _looked_up(self, id_: str) -> ApiKey | None:
        with self.database.read() as connection:
            return api_keys.get(connection, id_)

    def _remember(self, key: ApiKey) -> Caller:
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        caller = Caller(key.tenant, key.person, key.role, key.id)
        self._known[key.id] = _Known(key.secret_sha256, caller, key.expires_ms, self.clock())
        return caller

    def _require_patience(self, address: str) -> None:
        begun, count = self._failed.get(address, (0.0, 0))
        left = begun + ATTEMPTS_S - self.clock()
        if count >= ATTEMPTS and left > 0:
            raise Problem(
                429, "too_many_attempts", "too many keys from this address were wrong",
                headers={"Retry-After": str(int(left) + 1)},
            )  # fmt: skip

    def _wrong(self, address: str) -> Problem:
        metrics.FAILED_KEYS.inc()
        begun, count = self._failed.get(address, (0.0, 0))
        if len(self._failed) >= _MOST_KNOWN:
            self._failed.clear()
        is_over = self.clock() - begun > ATTEMPTS_S
        self._failed[address] = (self.clock(), 1) if is_over or not count else (begun, count + 1)
        return _no_key()


def _no_key() -> Problem:
    words = "expected a key that is valid, as `Authorization: Bearer sgk_...`"
    return Problem(401, "bad_key", words, headers={"WWW-Authenticate": "Bearer"})


_bearer = HTTPBearer(auto_error=False, description="A key of spendgate: `sgk_...`.")
_header = APIKeyHeader(
    name="X-Api-Key", auto_error=False, description="The same, for senders that set no other header."
)


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    header: Annotated[str | None, Depends(_header)],
) -> Caller:
    keeper: Doorkeeper = request.app.state.parts.keeper
    text = bearer.credentials if bearer is not None else header or ""
    return await keeper.caller(text, request.client.host if request.client else "")


def needs(right: Right) -> Callable[..., object]:
    """The dependency of a route: a caller whose role has the right."""

    async def checked(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if right not in RIGHTS[caller.role]:
            roles = ", ".join(role for role, rights in RIGHTS.items() if right in rights)
            raise Problem(403, "not_allowed", f"expected a key with the role {roles}; this one is {caller.role}")
        return caller

    return checked


Sender = Annotated[Caller, Depends(needs("ingest"))]
Reader = Annotated[Caller, Depends(needs("read"))]
Editor = Annotated[Caller, Depends(needs("edit"))]
Approver = Annotated[Caller, Depends(needs("approve"))]
Operator = Annotated[Caller, Depends(needs("operate"))]
ContentReader = Annotated[Caller, Depends(needs("content"))]
