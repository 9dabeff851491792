"""The loop: one lane a partition takes a batch, lets the handler apply it, and only then acknowledges it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, cast

from aiokafka import ConsumerRecord
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    NoBrokersAvailable,
)
from faust.types import TP, EventT, StreamT
from prometheus_client import Counter, Histogram

from agents.exits import Exit
from agents.faults import fault_point
from agents.faust_private import App, Chunk, Consumer
from agents.health import DEPENDENCIES, LONG_RETRY_S, Health
from telemetry.tracing import traceparent_in

IDLE_EVERY_S = 1.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
COMPLAIN_EVERY_S = 10.0
PASSING = (KafkaConnectionError, KafkaTimeoutError, KafkaUnavailableError, NoBrokersAvailable)

log = logging.getLogger(__name__)
MESSAGES = Counter("spendgate_delivery_messages", "Messages applied and acknowledged", ["agent"])
RETRIES = Counter("spendgate_delivery_retries", "Batches that were tried again", ["agent", "dependency"])
SECONDS = Histogram("spendgate_delivery_batch_seconds", "Time from a batch's first try to its end", ["agent"])


@dataclass(frozen=True, slots=True)
class Message:
    """One raw record. ``timestamp_ms`` is the time of the record: the broker's append time on our topics.
    ``traceparent``: the span that it was sent by, where one was told."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    traceparent: str | None = None


class Transient(Exception):
    """Something needed is away and will be back: the whole batch is tried again, from its read, for as long as the
    worker lives. ``dependency`` names what is away (``store``, ``broker``)."""

    def __init__(self, reason: str, dependency: str = "store") -> None:
        super().__init__(reason)
        self.dependency = dependency


class Handler(Protocol):
    """What an agent does with its partitions.

    Batches of one partition come one after the other, in the order of the log. A batch that was not acknowledged comes
    again, after a restart or a rebalance: then offsets start again from an earlier one, though never within a batch.
    Any exception but Transient (and a Kafka error that may be retried, which counts as one) ends the worker, and what
    it handled last is delivered again; a Fatal says with which exit code.
    """

    async def handle(self, partition: int, messages: Sequence[Message]) -> None:
        """Return when every effect of the batch is durable; only then is it acknowledged."""

    async def idle(self, partition: int) -> None:
        """Called about once a second for a partition without a batch, never while one of it is handled."""

    async def assigned(self, partitions: frozenset[int]) -> None:
        """These partitions and no others are ours now, before anything of them is delivered. Called at every rebalance,
        for those that stay too; must not wait for anything remote."""

    async def revoked(self, partitions: frozenset[int]) -> None:
        """These partitions are no longer ours; some may come back at once with ``assigned``. Also called at a stop."""


def as_transient(error: Exception) -> Transient | None:
    """What to wait for if ``error`` may pass, else None."""
    if isinstance(error, Transient):
        return error
    if isinstance(error, PASSING) or (isinstance(error, KafkaError) and error.retriable):
        return Transient(str(error), "broker")
    return None


class Gate:
    """Open while the partitions are ours. Closing it asks what is being retried to give up."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._closed = asyncio.Event()
        self._closed.set()

    @property
    def is_open(self) -> bool:
        """Whether work may begin."""
        return self._open.is_set()

    def open(self) -> None:
        """Let work begin."""
        self._closed.clear()
        self._open.set()

    def close(self) -> None:
        """Let no more work begin."""
        self._open.clear()
        self._closed.set()

    async def opened(self) -> None:
        """Wait until work may begin."""
        await self._open.wait()

    async def pause(self, seconds: float) -> None:
        """Sleep, though not beyond the closing of the gate."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)


class Lane:
    """One partition's loop, for as long as its Faust actor lives."""

    def __init__(self, lanes: "Lanes", stream: StreamT[bytes]) -> None:
        self.lanes = lanes
        self.stream = stream
        self.lock = asyncio.Lock()
        self._quiet_since = time.monotonic()

    def partition(self) -> int | None:
        """Which partition; None before the first assignment, when Faust has an actor but nothing to give it."""
        tps = cast("set[TP]", self.stream.active_partitions or set())
        return next((tp.partition for tp in tps), None)

    def is_mine(self) -> bool:
        """Whether the partition is still assigned to this worker."""
        app = self.lanes.app
        tps = cast("set[TP]", self.stream.active_partitions or set())
        return not app.should_stop and bool(tps & app.consumer.assignment())

    async def run(self) -> None:
        """Apply batch after batch until the stream ends or this task is cancelled."""
        # Acknowledging is the consumer's affair; Faust's own would acknowledge a batch whose handling failed.
        self.stream.enable_acks = False
        idling = asyncio.create_task(self._idle())
        idling.add_done_callback(self._idle_ended)
        try:
            async with aclosing(cast("AsyncGenerator[EventT[bytes]]", self.stream.events())) as events:
                async for event in events:
                    await self._take(cast("Chunk", event.message))
        finally:
            idling.cancel()

    async def _take(self, chunk: Chunk) -> None:
        await self.lanes.gate.opened()
        async with self.lock:
            if chunk.epoch != self.lanes.consumer.epoch:
                return
            messages = [_message(record) for record in chunk.records]
            if await self._apply(chunk, messages):
                self.lanes.acknowledge(chunk, len(messages))
                await fault_point("acknowledged")
            self._quiet_since = time.monotonic()

    async def _apply(self, chunk: Chunk, messages: Sequence[Message]) -> bool:
        """Handle the batch until it is done; False if the partition is to be given up first."""
        begun = time.monotonic()
        pause_s = FIRST_PAUSE_S
        while self.lanes.gate.is_open and chunk.epoch == self.lanes.consumer.epoch:
            try:
                await self.lanes.handler.handle(chunk.partition, messages)
            except Exception as error:  # noqa: BLE001 - must_pass raises all but what may pass
                self.lanes.must_pass(error, chunk.partition)
                await self.lanes.gate.pause(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                SECONDS.labels(self.lanes.name).observe(time.monotonic() - begun)
                return True
        return False

    async def _idle(self) -> None:
        while True:
            await asyncio.sleep(IDLE_EVERY_S)
            partition = self.partition()
            quiet_s = time.monotonic() - self._quiet_since
            if partition is None or self.lock.locked() or quiet_s < IDLE_EVERY_S or not self.lanes.gate.is_open:
                continue
            async with self.lock:
                await self._idle_once(partition)

    async def _idle_once(self, partition: int) -> None:
        try:
            await self.lanes.handler.idle(partition)
        except Exception as error:  # noqa: BLE001 - must_pass raises all but what may pass
            self.lanes.must_pass(error, partition)
        else:
            self.lanes.health.recovered(partition)

    def _idle_ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.lanes.exit.crash(error)


class Lanes:
    """All lanes of a worker, and what they share."""

    def __init__(self, name: str, handler: Handler, health: Health, ending: Exit) -> None:
        self.name = name
        self.handler = handler
        self.health = health
        self.exit = ending
        self.gate = Gate()
        self.app: App
        self._lanes: set[Lane] = set()
        self._complained: dict[str, float] = {}
        for dependency in DEPENDENCIES:
            RETRIES.labels(name, dependency)  # from 0 on, so that the first is seen

    @property
    def consumer(self) -> Consumer:
        """The app's consumer."""
        return cast("Consumer", self.app.consumer)

    async def actor(self, stream: StreamT[bytes]) -> None:
        """The Faust agent's function: one call of it a partition.

        A partition that is revoked has its actor cancelled; let through, CrashingSupervisor would take that for a
        crash and end the worker at every rebalance.
        """
        lane = Lane(self, stream)
        self._lanes.add(lane)
        try:
            await lane.run()
        except asyncio.CancelledError:
            if lane.is_mine():
                raise
        except Exception as error:
            self.exit.crash(error)
            raise
        else:
            if lane.is_mine():
                self.exit.crash(RuntimeError(f"the stream of partition {lane.partition()} ended while it was ours"))
        finally:
            self._lanes.discard(lane)

    def acknowledge(self, chunk: Chunk, count: int) -> None:
        """The batch is durable: let its offset be committed."""
        if self.consumer.acknowledge(chunk.tp, chunk.offset + 1, chunk.epoch):
            MESSAGES.labels(self.name).inc(count)
        self.health.recovered(chunk.partition)

    def must_pass(self, error: Exception, partition: int) -> None:
        """Note an error that may pass, loudly after a while; raise any other."""
        transient = as_transient(error)
        if transient is None:
            raise error
        RETRIES.labels(self.name, transient.dependency).inc()
        since_s = self.health.retrying(partition, transient.dependency)
        now = time.monotonic()
        if now - self._complained.get(transient.dependency, -COMPLAIN_EVERY_S) < COMPLAIN_EVERY_S:
            return
        self._complained[transient.dependency] = now
        level = logging.CRITICAL if since_s > LONG_RETRY_S else logging.WARNING
        log.log(level, "%s away for %.0f s, waiting: %s", transient.dependency, since_s, transient)

    async def quiet(self, within_s: float) -> bool:
        """Close the gate and wait until no batch is in hand; False if that took too long."""
        self.gate.close()
        try:
            async with asyncio.timeout(within_s):
                for lane in tuple(self._lanes):
                    async with lane.lock:
                        pass
        except TimeoutError:
            log.warning("a batch did not end within %.0f s; it will be delivered again", within_s)
            return False
        return True


def _message(record: ConsumerRecord) -> Message:
    parent = traceparent_in(record.headers) if record.headers else None
    return Message(record.partition, record.offset, record.key, record.value, record.timestamp, parent)
