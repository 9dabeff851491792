"""Events onto the log: packed by tenant, and done only when the broker has acknowledged all of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

from gateway_shadow import metrics
from gateway_shadow.config import Limits
from gateway_shadow.problems import Problem
from spendgate.ledger.packing import Message, pack
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic
from telemetry import tracing

LINGER_MS = 2


class LogWriter:
    """Writes to ``topic``. ``waiting_bytes`` are bounded: past the limit a sender is told to come back."""

    def __init__(self, bootstrap: str, topic: Topic, limits: Limits, security: Mapping[str, Any]) -> None:
        self._topic = topic
        self._limits = limits
        self._settings = {
            "bootstrap_servers": bootstrap, "acks": "all", "enable_idempotence": True, "linger_ms": LINGER_MS,
            "max_request_size": topic.max_message_bytes, "request_timeout_ms": int(limits.acknowledged_s * 1000),
            "metadata_max_age_ms": 60_000, **security,
        }  # fmt: skip
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self.waiting_bytes = 0

    async def write(self, events: Sequence[Event]) -> None:
        """Return once all events are acknowledged. Raises Problem 503; then some may stand on the log, and a sender
        that sends all of them again does no harm."""
        messages = list(pack(events))
        size = sum(len(message.value) for message in messages)
        if self.waiting_bytes + size > self._limits.waiting_bytes:
            raise _away("busy", "more events wait for Kafka than may")
        begun = time.perf_counter()
        self._count(size)
        try:
            with tracing.span("events publish", "producer"):
                async with asyncio.timeout(self._limits.acknowledged_s):
                    await self._send(messages)
        except (KafkaError, TimeoutError):
            raise _away("log_away", "Kafka did not acknowledge; send the same again, repeats are recognised") from None
        finally:
            self._count(-size)
            metrics.ACKNOWLEDGED_S.observe(time.perf_counter() - begun, tracing.trace_label() or None)

    async def require_answer(self) -> None:
        """Return once a broker has answered. Raises KafkaError."""
        producer = await self._started()
        if not await producer.client.force_metadata_update():
            raise KafkaConnectionError("no broker answers")

    async def publish(self, topic: str, key: bytes, value: bytes, partition: int) -> None:
        """One message, acknowledged. Raises KafkaError."""
        async with self._producing() as producer:
            await producer.send_and_wait(topic, value, key=key, partition=partition)

    async def publish_all(self, topic: str, messages: Sequence[tuple[bytes, bytes, int]]) -> int:
        """Messages (key, value, partition), all at once; how many were not acknowledged. Raises KafkaError."""
        async with self._producing() as producer:
            sent = [await producer.send(topic, value, key=key, partition=at) for key, value, at in messages]
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
        failed = [each for each in outcomes if isinstance(each, BaseException)]
        for each in failed:
            await self._let_go_of_a_broken(producer, each)
        return len(failed)

    async def _send(self, messages: Sequence[Message]) -> None:
        name, partitions = self._topic.name, self._topic.partitions
        async with self._producing() as producer:
            sent = [
                await producer.send(
                    name, each.value, key=each.key, partition=partition_of(each.key, partitions),
                    headers=tracing.headers(),
                )
                for each in messages
            ]  # fmt: skip
            await asyncio.gather(*sent)

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        """The producer; one that breaks meanwhile is let go of. Raises KafkaError."""
        producer = await self._started()
        try:
            yield producer
        except KafkaError as error:
            await self._let_go_of_a_broken(producer, error)
            raise

    async def _started(self) -> AIOKafkaProducer:
        """The producer; made at first use, so that the door opens while Kafka is away."""
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._settings)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer

    async def _let_go_of_a_broken(self, producer: AIOKafkaProducer, error: object) -> None:
        """What cannot be tried again has ended an idempotent producer for good; whoever writes next makes another."""
        is_in_use = self._producer is producer
        if is_in_use and isinstance(error, KafkaError) and not error.retriable:
            self._producer = None
            await producer.stop()

    async def close(self) -> None:
        """Send what is left, and end."""
        if self._producer is not None:
            await self._producer.stop()

    def _count(self, size: int) -> None:
        self.waiting_bytes += size
        metrics.WAITING_BYTES.set(self.waiting_bytes)


def _away(code: str, detail: str) -> Problem:
    return Problem(503, code, detail, headers={"Retry-After": "1"})
