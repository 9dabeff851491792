"""Runs the jobs of the store that have room here, each in a process of its own; a task of the door."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from traceback import format_tb
from typing import Any

from gateway_shadow.simulations.child import Child, Died
from policy_store import policies
from policy_store.errors import StoreAway
from policy_store.job_queue import Lost, Outcome, Queue
from policy_store.jobs import Job
from policy_store.simulations import Found

log = logging.getLogger(__name__)

POLL_S, RENEW_S, AGAIN_S = 1.0, 1.0, 2.0
IDLE_KEPT = 1
"""Processes that wait for the next job, so that it begins at once."""


@dataclass
class Runner:
    """``most``: jobs at a time in each of the two lanes; without a ledger none is run here."""

    queue: Queue
    ledger: str | None
    price_book: Path | None
    most: int
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _has_ended: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _idle: list[Child] = field(default_factory=list)
    _is_expected: bool = False

    def expect(self) -> None:
        """Somebody is near what simulates: have a process ready soon. From any thread."""
        self._is_expected = True

    def wake(self) -> None:
        """There may be something to do."""
        self._wanted.set()

    async def ended(self) -> None:
        """Return when the next job has ended here. Those that other doors run are not told of."""
        await self._has_ended.wait()

    def stop(self, id_: str) -> None:
        """End the process of a job that was cancelled, if it runs here. Other doors see it when they next look."""
        if (task := self._running.get(id_)) is not None:
            task.cancel()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until ``stopping``; what runs then goes back into the queue."""
        ended = asyncio.create_task(stopping.wait())
        while not stopping.is_set():
            self._wanted.clear()
            pause_s = POLL_S
            try:
                for is_stored in (False, True) if self.ledger is not None else ():
                    await self._fill(is_stored=is_stored)
            except StoreAway as error:
                log.warning("simulations wait: %s", error)
                pause_s = AGAIN_S
            await self._make_ready()
            woken = asyncio.create_task(self._wanted.wait())
            await asyncio.wait([ended, woken], timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
        await self._close()

    async def _close(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for child in self._idle:
            await child.kill()

    async def _fill(self, *, is_stored: bool) -> None:
        lane = "stored" if is_stored else "draft"
        while sum(task.get_name() == lane for task in self._running.values()) < self.most:
            job = await asyncio.to_thread(self.queue.claim, is_stored=is_stored)
            if job is None:
                return
            task = self._running[job.id] = asyncio.create_task(self._run(job), name=lane)
            task.add_done_callback(partial(self._ended, job.id))

    async def _make_ready(self) -> None:
        is_expected, self._is_expected = self._is_expected, False
        if is_expected and self.ledger is not None and not self._running and not self._waiting():
            self._idle.append(await Child.start())

    def _waiting(self) -> list[Child]:
        """Processes that wait for a job, and can take one."""
        self._idle = [child for child in self._idle if child.is_alive]
        return self._idle

    def _ended(self, id_: str, _: "asyncio.Task[None]") -> None:
        self._running.pop(id_, None)
        self._has_ended.set()
        self._has_ended = asyncio.Event()
        self.wake()

    async def _run(self, job: Job) -> None:
        """One job to its end, or until it is no longer ours."""
        try:
            async with self._child() as child:
                await self._watched(job, child)
        except Lost:
            log.info("simulation %s is no longer run here", job.id)
        except Died:
            await _insisting(self.queue.died, job)
        except asyncio.CancelledError:
            with suppress(Lost, StoreAway):  # cancelled, then; or its lease runs out
                await asyncio.to_thread(self.queue.release, job)
        except Exception as error:  # noqa: BLE001 - not its message, which may quote what was read
            log.error("simulation %s: %s\n%s", job.id, type(error).__name__, "".join(format_tb(error.__traceback__)))
            await _insisting(self.queue.died, job)

    async def _watched(self, job: Job, child: Child) -> None:
        """Read what the process says, and say meanwhile that the job runs on. Raises Lost, Died."""
        known: dict[str, Any] = {"rows_done": 0}
        reading = asyncio.create_task(self._read(job, child, known))
        try:
            while not (await asyncio.wait([reading], timeout=RENEW_S))[0]:
                try:
                    await asyncio.to_thread(self.queue.renew, job, **known)
                except Lost:
                    if not (await asyncio.wait([reading], timeout=RENEW_S))[0]:  # else it has ended in this moment
                        raise
                except StoreAway as error:
                    log.warning("simulation %s goes on: %s", job.id, error)
            await reading
        finally:
            reading.cancel()

    async def _read(self, job: Job, child: Child, known: dict[str, Any]) -> None:
        async for said, body in child.answers(await asyncio.to_thread(self._asked, job)):
            match said:
                case {"begun": version, "rows": total}:
                    known |= {"ledger_version": version, "rows_total": total}
                    await _insisting(self.queue.renew, job, **known)
                case {"done": found, "rows": rows}:
                    await _insisting(self.queue.done, job, Outcome(Found(**found), body, rows))
                case {"rows": rows}:
                    known["rows_done"] = rows
                case {"problem": words}:
                    await _insisting(self.queue.failed, job, words)

    def _asked(self, job: Job) -> dict[str, Any]:
        """What the process is told of a job."""
        from gateway_shadow.simulations.options import SimulationOptions

        against = SimulationOptions.model_validate_json(job.options).against
        if against is not None:
            with self.queue.changes.database.read() as connection:
                found = policies.require_version(connection, job.tenant, job.policy, against)
        return {
            "id": job.id, "tenant": job.tenant, "ledger": self.ledger, "document": job.document.decode(),
            "options": job.options, "version": job.hash[:12] if job.is_stored else None,
            "ledger_version": job.ledger_version, "against": None if against is None else found.document.decode(),
            "price_book": None if self.price_book is None else str(self.price_book.resolve()),
        }  # fmt: skip

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[Child]:
        """A process; one that has done its job whole is kept for the next."""
        waiting = self._waiting()
        child = waiting.pop() if waiting else await Child.start()
        try:
            yield child
        except BaseException:
            await asyncio.shield(child.kill())
            raise
        if len(self._idle) < IDLE_KEPT:
            self._idle.append(child)
        else:
            await child.kill()


async def _insisting(act: Any, *arguments: Any, **keywords: Any) -> None:
    """Write to the store as soon as it answers. Raises Lost."""
    while True:
        try:
            await asyncio.to_thread(act, *arguments, **keywords)
        except StoreAway as error:
            log.warning("a simulation's end waits: %s", error)
            await asyncio.sleep(AGAIN_S)
        else:
            return
