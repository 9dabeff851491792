"""Decisions that were published while nobody listened: read again from the topic, for a stream that goes on."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway_shadow.live.consumer import told_of
from gateway_shadow.live.ids import Place, Told

MOST_MESSAGES = 10_000
MOST_AGE = timedelta(minutes=10)
"""How far back a stream goes on, at most; what is older stands in the ledger."""
AT_A_TIME = 4
"""Streams of a door that ask Kafka for what was before at the same time."""
POLL_MS, MESSAGES = 500, 500


@dataclass(frozen=True)
class Past:
    """``topic``: of decisions; ``security``: aiokafka's keywords. Its methods raise KafkaError."""

    bootstrap: str
    topic: str
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_A_TIME), repr=False)

    async def oldest(self, upto: Place, now: datetime) -> Place:
        """The place that a stream may go on from at the earliest, so that it goes on before ``upto``."""
        async with self._room:
            consumer, partition = await self._consumer(), TopicPartition(self.topic, upto.partition)
            try:
                begin = (await consumer.beginning_offsets([partition]))[partition]
                since_ms = int((now - MOST_AGE).timestamp() * 1000)
                recent = (await consumer.offsets_for_times({partition: since_ms}))[partition]
            finally:
                await consumer.stop()
        offset = upto.offset if recent is None else recent.offset
        return Place(upto.partition, min(max(begin, offset, upto.offset - MOST_MESSAGES), upto.offset))

    async def between(self, tenant: str, first: Place, upto: Place) -> AsyncGenerator[Told]:
        """A tenant's decisions from one place of a partition to another, in order."""
        if first >= upto:
            return
        consumer, partition = await self._consumer(), TopicPartition(self.topic, first.partition)
        try:
            consumer.assign([partition])
            consumer.seek(partition, first.offset)
            while await consumer.position(partition) < upto.offset:
                async with self._room:  # and not while whoever watches takes its time
                    found = await consumer.getmany(partition, timeout_ms=POLL_MS, max_records=MESSAGES)
                for message in found.get(partition, ()):
                    if message.offset >= upto.offset:
                        return
                    if message.key == tenant.encode():
                        item = first.item if message.offset == first.offset else 0
                        for told in told_of(message.value or b"", Place(first.partition, message.offset, item)):
                            yield told
        finally:
            await consumer.stop()

    async def _consumer(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", **self.security
        )
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        return consumer
