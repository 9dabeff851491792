"""The outermost layer: a request's id, limits on its body and its time."""

import asyncio
import logging
import traceback
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway_shadow import metrics
from gateway_shadow.config import Limits
from gateway_shadow.problems import Problem, response_of
from spendgate.model.text import is_name

log = logging.getLogger(__name__)

HEADER = b"x-request-id"


@dataclass
class Guard:
    """ASGI middleware. ``fresh``: makes request ids."""

    app: ASGIApp
    limits: Limits
    fresh: Callable[[], str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on. Its own faults end as problems too, and never as a stack trace."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = self._id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        try:
            async with asyncio.timeout(self.limits.request_s) as answer.limit:
                scope["state"]["limit"] = answer.limit
                await self.app(scope, _limited(receive, self.limits.body_bytes), answer)
        except TimeoutError:
            await answer.problem(
                scope, receive, Problem(503, "slow", "not answered in time", headers={"Retry-After": "1"})
            )
        except Exception as error:  # noqa: BLE001 - no fault of ours reaches a sender as a stack trace
            # Not its message, which may quote what was sent.
            place = "".join(traceback.format_tb(error.__traceback__))
            log.error("request %s: %s\n%s", request_id, type(error).__name__, place)
            await answer.problem(scope, receive, Problem(500, "fault", "the log has it under the request's id"))
        finally:
            metrics.count_request(scope, answer.status)

    def _id(self, scope: Scope) -> str:
        """The sender's own id where it is one of the stated set, else a fresh one."""
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER), "")
        return given if is_name(given) else self.fresh()


class _Answer:
    """Sends an answer on, with the request's id, and knows whether it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None
        self.limit: asyncio.Timeout | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.limit is not None and _is_stream(message):
                self.limit.reschedule(None)
            message = {**message, "headers": [*message.get("headers", ()), (HEADER, self._request_id.encode())]}
        await self._send(message)

    async def problem(self, scope: Scope, receive: Receive, problem: Problem) -> None:
        """Answer with a problem, if nothing was answered yet."""
        if self.status is None:
            await response_of(problem, self._request_id)(scope, receive, self)


def _is_stream(start: Message) -> bool:
    """Whether an answer is one that goes on: server-sent events are in time once they have begun."""
    return any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in start["headers"])


def _limited(receive: Receive, most_bytes: int) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most_bytes:
            raise Problem(413, "too_large", f"expected a body of at most {most_bytes} bytes")
        return message

    return limited


async def body_of(request: Request, limits: Limits) -> bytes:
    """The request's body, unpacked. Raises Problem."""
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding != "gzip":
        raise Problem(415, "bad_encoding", "Content-Encoding: expected gzip, or none")
    return await asyncio.to_thread(unzipped, body, limits.unpacked_bytes)


def unzipped(body: bytes, most_bytes: int) -> bytes:
    """What a body in gzip holds. Raises Problem, also where that is more than ``most_bytes``."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        found = unpacker.decompress(body, most_bytes + 1)
    except zlib.error:
        raise Problem(400, "bad_encoding", "body: expected gzip") from None
    if len(found) > most_bytes:
        raise Problem(413, "too_large", f"expected a body of at most {most_bytes} bytes once unpacked")
    if not unpacker.eof:
        raise Problem(400, "bad_encoding", "body: expected a whole gzip stream")
    return found
