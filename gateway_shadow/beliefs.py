"""What the store said, and when: it is believed for a moment, so that not every request asks.

What is in use is asked for anew before the moment is over, behind a request and once at a time: so no request waits for
the store once a second.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

BELIEVED_S = 1.0
"""So long; whatever is revoked is refused everywhere within two seconds."""
AHEAD_S = 0.5
"""What was said so long ago is asked for again."""
WITHOUT_STORE_S = 300.0
"""While the store is away."""
MOST_KNOWN = 10_000
T = TypeVar("T")


@dataclass
class Beliefs(Generic[T]):
    """By id. ``look``: asks the store, in a thread; None for what there is not, and may raise StoreAway. ``clock``:
    monotonic seconds."""

    clock: Callable[[], float]
    look: Callable[[str], T | None]
    _known: dict[str, tuple[float, T]] = field(default_factory=dict)
    _asking: dict[str, "asyncio.Task[T | None]"] = field(default_factory=dict)

    def get(self, id_: str, for_s: float = BELIEVED_S) -> T | None:
        """What was said within the last so many seconds."""
        known = self._known.get(id_)
        return None if known is None or self.clock() - known[0] > for_s else known[1]

    def in_use(self, id_: str) -> T | None:
        """As ``get``; what will soon be too old is asked for ahead."""
        known = self._known.get(id_)
        if known is None or (age_s := self.clock() - known[0]) > BELIEVED_S:
            return None
        if age_s > AHEAD_S:
            self._ask(id_)
        return known[1]

    async def ask(self, id_: str) -> T | None:
        """What the store says now, and is believed from now on; many at once ask it once. Raises StoreAway."""
        return await asyncio.shield(self._ask(id_))

    def put(self, id_: str, said: T) -> None:
        """It is so now."""
        self._put(id_, self.clock(), said)

    def drop(self, id_: str) -> None:
        """Believe it no more, nor what the store is being asked."""
        self._known.pop(id_, None)
        self._asking.pop(id_, None)

    def _put(self, id_: str, asked_s: float, said: T) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[id_] = (asked_s, said)

    def _ask(self, id_: str) -> "asyncio.Task[T | None]":
        task = self._asking.get(id_)
        if task is None:
            task = self._asking[id_] = asyncio.create_task(self._learn(id_))
            task.add_done_callback(lambda done: self._answered(id_, done))
        return task

    async def _learn(self, id_: str) -> T | None:
        asked_s = self.clock()
        said = await run_in_threadpool(self.look, id_)
        if self._asking.get(id_) is asyncio.current_task():  # else it was dropped meanwhile
            if said is None:
                self._known.pop(id_, None)
            else:
                self._put(id_, asked_s, said)
        return said

    def _answered(self, id_: str, task: "asyncio.Task[T | None]") -> None:
        if self._asking.get(id_) is task:
            del self._asking[id_]
        if not task.cancelled():
            task.exception()  # who waits is told; who asked ahead goes on with what is believed
