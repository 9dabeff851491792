"""Alerts, delivered: a task of every door. A target has a lane of its own, so that one which is slow holds up no other.

What waits is in the store, so that nothing is lost with a process, and no request, worker or stream waits for a target.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway_shadow import metrics
from gateway_shadow.alerting.messages import message_of
from gateway_shadow.alerting.sending import Sender
from policy_store import alerts
from policy_store.alert_deliveries import Answer, Deliveries, Held
from policy_store.errors import StoreAway

log = logging.getLogger(__name__)

EVERY_S, AGAIN_S, TIDY_EVERY = 0.5, 5.0, 20
MOST_LANES = 128
STOP_WITHIN_S = 5.0


def _nothing(_: str) -> None:
    """No fault."""


@dataclass
class Lanes:
    """``fault_point`` is called between the steps, for tests."""

    deliveries: Deliveries
    sender: Sender
    fault_point: Callable[[str], None] = _nothing
    _open: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until ``stopping``; attempts that are under way then have some seconds, and else are made again."""
        turn = 0
        while not stopping.is_set():
            pause_s = EVERY_S
            try:
                await self._open_lanes(stopping)
                if turn % TIDY_EVERY == 0:
                    await asyncio.to_thread(self._tidy)
                turn += 1
            except StoreAway as error:
                log.warning("alerts wait: %s", error)
                pause_s = AGAIN_S
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end unseen
                log.error("alerts wait: %s", type(error).__name__)
                pause_s = AGAIN_S
            await _until(stopping, pause_s)
        await self._close()

    async def _open_lanes(self, stopping: asyncio.Event) -> None:
        room = MOST_LANES - len(self._open)
        for target in await asyncio.to_thread(self.deliveries.ready, list(self._open), room) if room else ():
            task = asyncio.create_task(self._lane(target, stopping))
            self._open[target] = task
            task.add_done_callback(lambda _, target=target: self._open.pop(target, None))  # type: ignore[misc]

    async def _lane(self, target: str, stopping: asyncio.Event) -> None:
        """All that is due for one target, one after the other."""
        try:
            while not stopping.is_set() and (held := await asyncio.to_thread(self.deliveries.claim, target)):
                self.fault_point("claimed")
                answer = await self._attempt(held)
                self.fault_point("sent")
                state = await asyncio.to_thread(self.deliveries.settle, held, answer)
                self.fault_point("settled")
                metrics.ALERT_ATTEMPTS.labels(held.target.kind, "sent" if state == "sent" else "failed").inc()
                if state == "dead":
                    metrics.ALERTS_DEAD.inc()
        except StoreAway as error:
            log.warning("alerts wait: %s", error)
        except Exception as error:  # noqa: BLE001 - its lease runs out, and another lane goes on
            log.error("alerts wait: %s", type(error).__name__)

    async def _attempt(self, held: Held) -> Answer:
        try:
            return await self.sender.send(held.target, message_of(held.alert))
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery must not end unseen
            log.error("alert %s: %s", held.alert.id, type(error).__name__)
            return Answer(problem="a fault of ours; the log of the door has it", is_silent=True)

    def _tidy(self) -> None:
        """Give up what is late, forget what is old, and measure what waits."""
        metrics.ALERTS_DEAD.inc(self.deliveries.bury())
        changes = self.deliveries.changes
        with changes.database.read() as connection:
            is_old = alerts.has_old(connection, changes.now_ms())
        if is_old:
            with changes.database.begin() as connection:
                alerts.forget_old(connection, changes.now_ms())
        waiting = self.deliveries.waiting()
        metrics.ALERTS_WAITING.set(waiting.deliveries)
        metrics.ALERTS_OLDEST_S.set(waiting.oldest_ms / 1000)

    async def _close(self) -> None:
        if self._open:
            await asyncio.wait(list(self._open.values()), timeout=STOP_WITHIN_S)
        left = list(self._open.values())
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.sender.close()


async def _until(stopping: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await stopping.wait()
    except TimeoutError:
        return
