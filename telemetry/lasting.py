"""Tasks that go on for as long as their process lives: none ends unseen."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

AGAIN_S = 5.0


def lasting(what: str, work: Callable[[], Awaitable[None]], again_s: float = AGAIN_S) -> "asyncio.Task[None]":
    """A task that does ``work`` until that ends by itself or is cancelled. What it did not foresee is told, by its kind
    alone, and it begins anew: else it would have ended unseen."""
    return asyncio.create_task(_over_and_over(what, work, again_s))


async def _over_and_over(what: str, work: Callable[[], Awaitable[None]], again_s: float) -> None:
    while True:
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and the next time may do better
            log.error("%s: %s; it begins anew", what, type(error).__name__)
        await asyncio.sleep(again_s)
