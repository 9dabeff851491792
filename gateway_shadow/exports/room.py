"""Room for exports: so many at a time, and of one tenant one, so that nobody's long one keeps all others out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway_shadow.problems import Problem

AT_A_TIME = 2
WAIT_S = 5.0


class ExportRoom:
    """Of one process."""

    def __init__(self) -> None:
        self._running: set[str] = set()
        self._left = asyncio.Condition()

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """Room for one of a tenant's. Raises Problem 503 where there is none soon."""
        try:
            async with asyncio.timeout(WAIT_S), self._left:
                await self._left.wait_for(lambda: tenant not in self._running and len(self._running) < AT_A_TIME)
                self._running.add(tenant)
        except TimeoutError:
            raise Problem(503, "busy", "others export now", headers={"Retry-After": "10"}) from None
        try:
            yield
        finally:
            async with self._left:
                self._running.discard(tenant)
                self._left.notify_all()
