"""Whose session a browser brings. What the store said of it is believed for a second, as with keys."""

import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool
from starlette.requests import Request

from gateway_shadow import metrics
from gateway_shadow.beliefs import BELIEVED_S, WITHOUT_STORE_S, Beliefs
from gateway_shadow.callers import Caller
from gateway_shadow.login.forms import TOKEN_FIELD, TOKEN_HEADER, token_said
from gateway_shadow.login.secrets import csrf_token
from gateway_shadow.login.site import SAFE_METHODS, Site
from gateway_shadow.patience import Patience
from gateway_shadow.problems import Problem
from policy_store import api_keys, sessions
from policy_store.change import now_ms
from policy_store.clock import Forward
from policy_store.database import Database
from policy_store.errors import StoreAway
from policy_store.sessions import Session

log = logging.getLogger(__name__)

NOTED_MS = 60_000
"""Use is written down so often, or ten times within the idle time: a session may end by so much too early."""


@dataclass
class Visitors:
    """Looks sessions up. ``rules``: the SHA-256 of those by which a provider's people are let in; None: no provider.
    Times: ``clock`` is monotonic seconds, ``now_ms`` the time of day."""

    database: Database
    site: Site
    patience: Patience
    rules: str | None = None
    clock: Callable[[], float] = time.monotonic
    now_ms: Callable[[], int] = now_ms
    _known: Beliefs[Session] = field(init=False)

    def __post_init__(self) -> None:
        self.now_ms, self._known = Forward(self.now_ms), Beliefs(self.clock, self._looked_up)

    async def caller(self, request: Request) -> Caller | None:
        """Who the browser's session is of; None where it brings none.

        Raises Problem 401 for one that is over, 403 for a change that another site may have asked for.
        """
        text = self.site.session_text(request)
        if not text:
            return None
        session = await self.session(text, address_of(request))
        if request.method not in SAFE_METHODS:
            self.site.require_own_page(request)
            if not hmac.compare_digest((await token_said(request)).encode(), csrf_token(text).encode()):
                words = f"expected the session's token in {TOKEN_HEADER.title()}, or in a form's {TOKEN_FIELD}"
                raise Problem(403, "bad_csrf_token", words)
        return Caller(session.tenant, session.person, session.role, session.id)

    async def session(self, text: str, address: str) -> Session:
        """The session of a cookie's text. Raises Problem 401, 429, 503."""
        parts = sessions.parse(text)
        if parts is None:
            raise _over()
        if (known := self._believed(parts, BELIEVED_S)) is not None:
            return known
        self.patience.require(address)
        try:
            session = await run_in_threadpool(self._looked_up, parts.id)
        except StoreAway:
            known = self._believed(parts, WITHOUT_STORE_S)
            if known is None:
                raise
            return known
        return await self._required(session, parts, address)

    async def _required(self, session: Session | None, parts: api_keys.Parts, address: str) -> Session:
        if session is None or not api_keys.proves_hash(parts.secret, session.secret_sha256):
            metrics.FAILED_KEYS.inc()
            self.patience.failed(address)
            raise _over()
        if not self._is_good(session):  # no attempt to guess anything: a page that was left open goes on asking
            self._known.drop(session.id)
            raise _over()
        session = await self._noted(session)
        self._known.put(session.id, session)
        return session

    def forget(self, id_: str) -> None:
        """Believe nothing of a session any more: it has just been ended here."""
        self._known.drop(id_)

    def _believed(self, parts: api_keys.Parts, for_s: float) -> Session | None:
        session = self._known.get(parts.id, for_s)
        if session is None or not self._is_good(session):
            return None
        return session if api_keys.proves_hash(parts.secret, session.secret_sha256) else None

    def _is_good(self, session: Session) -> bool:
        by_our_rules = session.key_id is not None or (self.rules is not None and session.rules == self.rules)
        return by_our_rules and session.is_valid(self.now_ms())

    def _looked_up(self, id_: str) -> Session | None:
        with self.database.read() as connection:
            return sessions.get(connection, id_)

    async def _noted(self, session: Session) -> Session:
        """The session as it is once this use is written down; now and then it is."""
        at_ms = self.now_ms()
        if at_ms - session.seen_ms < min(NOTED_MS, session.idle_ms // 10):
            return session
        try:
            await run_in_threadpool(self._touch, session.id, at_ms)
        except StoreAway as error:
            log.warning("the use of a session is not noted: %s", error)
            return session
        return session._replace(seen_ms=at_ms)

    def _touch(self, id_: str, at_ms: int) -> None:
        with self.database.begin() as connection:
            sessions.touch(connection, id_, at_ms)


def address_of(request: Request) -> str:
    """Whom failed attempts are counted of."""
    return request.client.host if request.client else ""


def _over() -> Problem:
    words = "the session is over, or never was: sign in again"
    return Problem(401, "no_session", words, headers={"WWW-Authenticate": "Bearer"})
