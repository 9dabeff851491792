"""A file as an answer, part by part: whole, or broken off so that whoever reads it knows.

The last part of a chunked body says that it was the last, so what is broken off has none. A reader that takes nothing
for STALLED_S, and one whose key is no longer good, is let go of.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

STALLED_S = 60.0
LOOK_S = 1.0


class LetGo(Exception):
    """The reader is sent no more of it."""


class FileStream(Response):
    """``parts`` raises what keeps the file from becoming whole; ``may_go_on`` is asked now and then; ``close`` is
    awaited once, however it ends."""

    def __init__(
        self, parts: AsyncIterator[bytes], media_type: str, headers: Mapping[str, str],
        may_go_on: Callable[[], Awaitable[bool]], close: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        super().__init__(media_type=media_type, headers=dict(headers))
        del self.headers["content-length"]
        self._parts, self._may_go_on, self._close = parts, may_go_on, close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until it is whole, or the reader has gone."""
        sending = asyncio.create_task(self._send(send))
        others = [asyncio.create_task(_gone(receive)), asyncio.create_task(self._watch())]
        try:
            await asyncio.wait([sending, *others], return_when=asyncio.FIRST_COMPLETED)
            for each in (sending, *others):
                if each.done():
                    each.result()
        finally:
            for each in (sending, *others):
                each.cancel()
            await asyncio.gather(sending, *others, return_exceptions=True)
            await asyncio.shield(self._close())

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for part in self._parts:
            try:
                async with asyncio.timeout(STALLED_S):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            except TimeoutError:
                raise LetGo from None
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if not await self._may_go_on():
                raise LetGo


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
