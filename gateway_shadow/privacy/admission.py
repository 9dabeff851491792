"""Whether a body is taken at all: signed where its mode asks for it, by a key of the tenant's gateways, and once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from gateway_shadow import metrics
from gateway_shadow.privacy.desk import Desk, TenantPrivacy
from gateway_shadow.privacy.signatures import (
    ACCEPTED,
    AHEAD_S,
    INPUT,
    TAG,
    BadSignature,
    Message,
    Signed,
    signed_of,
)
from gateway_shadow.problems import Problem
from policy_store import gateway_keys
from policy_store.change import Changes
from policy_store.clock import Forward
from policy_store.errors import StoreAway
from policy_store.gateway_keys import Nonce
from spendgate.model.event import PrivacyMode


class Admission(NamedTuple):
    """A body that may be read: its tenant's privacy, the mode that its request asks for, whether it is signed."""

    privacy: TenantPrivacy
    asked: PrivacyMode | None
    is_signed: bool


class Gate:
    """Admits bodies. A nonce counts for every process that shares the policy store."""

    def __init__(self, desk: Desk, changes: Changes) -> None:
        self._desk = desk
        self._database = changes.database
        self._now_ms = Forward(changes.now_ms)

    @asynccontextmanager
    async def admitted(self, request: Request, tenant: str, asked: PrivacyMode | None) -> AsyncIterator[Admission]:
        """Have a body taken, which has been received. If that fails nothing came of it, and its nonce is good again.

        Raises Problem 403 for what is not signed as it should be, 409 for what was taken before.
        """
        privacy = await self._desk.of(tenant)
        nonce = await self._claimed(request, tenant, privacy)
        if nonce is None and privacy.resolver.needs_signature(asked):
            raise _refused("unsigned", "expected a body that a gateway of the tenant has signed (RFC 9421)")
        try:
            yield Admission(privacy, asked, nonce is not None)
        except BaseException:
            if nonce is not None:
                await self._give_back(nonce)
            raise

    async def _claimed(self, request: Request, tenant: str, privacy: TenantPrivacy) -> Nonce | None:
        """The nonce of a signed body, now taken; None for a body that is not signed."""
        if TAG not in request.headers.get(INPUT, ""):
            return None
        message = _message(request, await request.body())
        try:
            signed = await run_in_threadpool(self._verified, message, privacy)
        except BadSignature as bad:
            raise _refused("bad_signature", str(bad)) from None
        if signed is None:
            return None
        nonce = Nonce(tenant, signed.key_id, signed.nonce)
        if not await run_in_threadpool(self._claim, nonce, (signed.until_s + AHEAD_S) * 1000):
            metrics.SIGNATURES.labels("replayed").inc()
            raise Problem(409, "replayed", "nonce: expected one that was not used before; sign each attempt anew")
        metrics.SIGNATURES.labels("good").inc()
        return nonce

    def _verified(self, message: Message, privacy: TenantPrivacy) -> Signed | None:
        signed = signed_of(message)
        if signed is not None:
            signed.require_good(privacy.gateways.get(signed.key_id), self._now_ms() / 1000)
        return signed

    def _claim(self, nonce: Nonce, until_ms: int) -> bool:
        with self._database.begin() as connection:
            return gateway_keys.claim(connection, nonce, until_ms)

    async def _give_back(self, nonce: Nonce) -> None:
        with suppress(StoreAway):  # then the gateway signs anew, as for any other failure
            await run_in_threadpool(self._release, nonce)

    def _release(self, nonce: Nonce) -> None:
        with self._database.begin() as connection:
            gateway_keys.release(connection, nonce)


def _message(request: Request, body: bytes) -> Message:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    path = bytes(request.scope.get("raw_path") or request.url.path.encode())
    query = bytes(request.scope["query_string"])
    return Message(request.method, path.decode("latin-1"), query.decode("latin-1"), headers, body)


def _refused(code: str, words: str) -> Problem:
    metrics.SIGNATURES.labels(code).inc()
    return Problem(403, code, words, headers={"Accept-Signature": ACCEPTED})
