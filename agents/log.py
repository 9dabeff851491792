"""The log beside the group: a plain second consumer that reads ranges and bounds, and commits nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from agents.delivery import Message

POLL_MS = 1000
RECORDS = 2000
BACKOFF_MS = 5
"""aiokafka waits so long before it asks again for a leader that it does not know yet, as after every start."""


async def close(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer that has no group. aiokafka 0.14 then awaits a task that it has just cancelled, and lets
    that task's CancelledError out as if the caller had been cancelled."""
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


class Log:
    """One topic of the broker at ``bootstrap``; ``group`` is whose commits ``committed`` tells;
    ``progress`` is called for each stretch that was read; ``auth``: aiokafka's keywords.

    Every method raises KafkaError while the broker is away.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        progress: Callable[[], None],
        auth: Mapping[str, Any] | None = None,
    ) -> None:
        self.topic = topic
        self._group = group
        self.progress = progress
        self._bootstrap = bootstrap
        self._auth = auth or {}

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=20_000,
            retry_backoff_ms=BACKOFF_MS,
            max_partition_fetch_bytes=8 * 1024 * 1024,
            **self._auth,
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await close(consumer)

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that the log still has, and its end."""
        place = TopicPartition(self.topic, partition)
        async with self._consumer() as consumer:
            begin = await consumer.beginning_offsets([place])
            end = await consumer.end_offsets([place])
            return begin[place], end[place]

    async def committed(self, partition: int) -> int:
        """The offset that the group is to read next; 0 where it has committed nothing."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=20_000, **self._auth)
        place = TopicPartition(self.topic, partition)
        try:
            await admin.start()
            offsets = await admin.list_consumer_group_offsets(self._group, partitions=[place])
        finally:
            await admin.close()
        return max(0, offsets[place].offset) if place in offsets else 0

    async def read(self, partition: int, start: int, stop: int) -> AsyncIterator[Sequence[Message]]:
        """All messages of ``[start, stop)``, in order; offsets that hold none are passed over."""
        place = TopicPartition(self.topic, partition)
        async with self._consumer() as consumer:
            consumer.assign([place])
            consumer.seek(place, start)
            while await consumer.position(place) < stop:
                records = (await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS)).get(place, [])
                messages = [
                    Message(record.partition, record.offset, record.key, record.value, record.timestamp)
                    for record in records
                    if record.offset < stop
                ]
                if records:
                    self.progress()
                if messages:
                    yield messages
