"""Whether keys and sessions are still good, asked of the store at once for all streams that ask at the same time: fifty
open pages cost one read a second, and not fifty."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool

from gateway_shadow.auth import holds
from gateway_shadow.callers import Caller
from policy_store.change import Changes
from policy_store.errors import StoreAway

TOGETHER_S = 0.02


@dataclass
class Looks:
    """One for the process."""

    changes: Changes
    _asked: dict[Caller, "asyncio.Future[bool]"] = field(default_factory=dict)
    _looking: set["asyncio.Task[None]"] = field(default_factory=set)

    async def is_good(self, caller: Caller) -> bool:
        """Whether the caller's is; while the store is away, as it was."""
        asked = self._asked.get(caller)
        if asked is None:
            asked = self._asked[caller] = asyncio.get_running_loop().create_future()
            if len(self._asked) == 1:
                task = asyncio.create_task(self._look())
                self._looking.add(task)
                task.add_done_callback(self._looking.discard)
        return await asyncio.shield(asked)

    async def _look(self) -> None:
        await asyncio.sleep(TOGETHER_S)
        asked, self._asked = self._asked, {}
        try:
            good = await run_in_threadpool(self._good, asked)
        except StoreAway:
            good = set(asked)
        except BaseException as error:
            for each in asked.values():
                each.set_exception(error)
            raise
        for caller, each in asked.items():
            each.set_result(caller in good)

    def _good(self, callers: Iterable[Caller]) -> set[Caller]:
        now_ms = self.changes.now_ms()
        with self.changes.database.read() as connection:
            return {each for each in callers if holds(connection, each, now_ms)}
