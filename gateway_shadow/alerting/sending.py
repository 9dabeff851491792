"""One attempt: an alert posted to a target, at an address that has been looked at. What the target answers is not read
beyond its status."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from gateway_shadow.alerting import messages
from gateway_shadow.alerting.addresses import Allowed, BadUrl
from policy_store.alert_deliveries import SILENT, Answer
from policy_store.alert_targets import Target, secrets_of, url_of
from policy_store.alerts import TRIED_MS
from policy_store.change import now_ms
from policy_store.sealing import Sealer, Unopened
from spendgate import __version__
from spendgate.model.alert import AlertMessage

CONNECT_S, WHOLE_S = 5.0, 15.0
_NAMES_AT_ONCE = 8
OTHER_KEY = "its address was sealed by another key of the store; `spendgate admin reseal-targets`, or give it anew"
_NOT_PERMITTED = "its name stands for no address that alerts may be sent to"


class _NotPermitted(OSError):
    """A name stands for nothing that may be connected to."""


class _Resolver(AbstractResolver):
    """Names as the system knows them, in threads of its own (a name that is slow holds up nothing else), and of what
    they stand for only what may be connected to."""

    def __init__(self, allowed: Allowed, threads: ThreadPoolExecutor, *, is_encrypted: bool) -> None:
        self._allowed, self._threads, self._is_encrypted = allowed, threads, is_encrypted

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """See aiohttp. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        )
        addresses = [
            ResolveResult(
                hostname=host, host=str(place[0]), port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, place in found
            if self._allowed.permits(host, str(place[0]), is_encrypted=self._is_encrypted)
        ]
        if not addresses:
            raise _NotPermitted
        return addresses

    async def close(self) -> None:
        """See aiohttp."""


class Request(NamedTuple):
    """What is posted."""

    url: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sender:
    """Posts to targets. Post and close in one loop. ``tls``: instead of what the system trusts."""

    sealer: Sealer
    allowed: Allowed
    now_ms: Callable[[], int] = now_ms
    tls: ssl.SSLContext | None = None
    whole_s: float = WHOLE_S
    _sessions: dict[bool, aiohttp.ClientSession] = field(default_factory=dict)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_NAMES_AT_ONCE, thread_name_prefix="names")
    )

    async def send(self, target: Target, message: AlertMessage) -> Answer:
        """One attempt. Nothing of what is wrong is raised."""
        try:
            request = self.request(target, message)
            self.allowed.require_url(request.url)
        except Unopened:
            return Answer(problem=OTHER_KEY, is_silent=True)
        except BadUrl:
            return Answer(problem="its address is none that alerts may be sent to", is_silent=True)
        try:
            return await self._post(request)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # (TimeoutError is an OSError)
            return Answer(problem=self._words(error), is_silent=True)

    def request(self, target: Target, message: AlertMessage) -> Request:
        """What a target is sent. Raises Unopened."""
        url = url_of(target, self.sealer)
        if target.kind == "slack":
            return Request(url, *messages.slack(message))
        at_ms = self.now_ms()
        return Request(url, *messages.webhook(message, secrets_of(target, self.sealer, at_ms), at_ms))

    async def _post(self, request: Request) -> Answer:
        session = self._session(is_encrypted=request.url.lower().startswith("https:"))
        async with session.post(
            URL(request.url), data=request.body, headers=request.headers, allow_redirects=False
        ) as answer:
            return answered(answer.status, answer.headers.get("Retry-After"), self.now_ms())

    def _session(self, *, is_encrypted: bool) -> aiohttp.ClientSession:
        """One for each of the two, since a name is looked up without knowing what for."""
        if is_encrypted not in self._sessions:
            connector = aiohttp.TCPConnector(
                resolver=_Resolver(self.allowed, self._threads, is_encrypted=is_encrypted), use_dns_cache=False,
                force_close=True, limit=0, ssl=self.tls or True,
            )  # fmt: skip
            self._sessions[is_encrypted] = aiohttp.ClientSession(
                connector=connector, trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self.whole_s, sock_connect=CONNECT_S),
                headers={"User-Agent": f"spendgate/{__version__}"},
            )  # fmt: skip
        return self._sessions[is_encrypted]

    def _words(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"it did not answer within {self.whole_s:g} s"
            case aiohttp.ClientConnectorDNSError():
                refused = isinstance(error.os_error, _NotPermitted)
                return _NOT_PERMITTED if refused else "its name cannot be looked up"
            case aiohttp.ClientConnectorCertificateError():
                return "its certificate is not valid for it"
            case aiohttp.ClientSSLError():
                return "no encrypted connection could be made"
            case aiohttp.ClientConnectorError() | aiohttp.ServerConnectionError():
                return "no connection could be made"
            case _:
                return "it broke off, or answered something that is not HTTP"

    async def close(self) -> None:
        """Let go of what is open."""
        for each in self._sessions.values():
            await each.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


def answered(status: int, retry_after: str | None, at_ms: int) -> Answer:
    """What an answer means: 2xx is taken, all else is not. 408, 425, 429 and 5xx hold off all that waits for the
    target, other answers this alert alone, and 410 says that the target is gone for good."""
    if 200 <= status < 300:
        return Answer(status)
    wait_ms = retry_after_ms(retry_after, at_ms)
    words = f"it answered {status}"
    if 300 <= status < 400:
        words += ", and redirects are not followed"
    return Answer(status, words, wait_ms, is_silent=status in SILENT or status >= 500)


def retry_after_ms(text: str | None, at_ms: int) -> int:
    """What Retry-After asks for, in seconds or as a date (RFC 9110); at most a day, and 0 where it says nothing."""
    if not text:
        return 0
    if text.isascii() and text.strip().isdecimal():
        return min(int(text.strip()[:9]) * 1000, TRIED_MS)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0
    aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max(0, round((aware - datetime.fromtimestamp(at_ms / 1000, UTC)).total_seconds() * 1000)), TRIED_MS)
