"""Checks onto ``spend.checks``, behind the answer: no call waits for Kafka. What is lost is counted."""

import asyncio

from aiokafka.errors import KafkaError

from gateway_shadow import metrics
from gateway_shadow.log_writer import LogWriter
from spendgate.model.check import Check, encode_check
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic

MOST_WAITING = 10_000
ACKNOWLEDGED_S = 10.0


class Recorder:
    """Writes checks to ``topic``, at most so many at a time."""

    def __init__(self, writer: LogWriter, topic: Topic) -> None:
        self._writer = writer
        self._topic = topic
        self._waiting: set[asyncio.Task[None]] = set()

    def record(self, check: Check) -> None:
        """Write a check soon."""
        if len(self._waiting) >= MOST_WAITING:
            metrics.CHECKS_LOST.inc()
            return
        task = asyncio.get_running_loop().create_task(self._write(check))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _write(self, check: Check) -> None:
        key = check.tenant.encode()
        try:
            async with asyncio.timeout(ACKNOWLEDGED_S):
                partition = partition_of(key, self._topic.partitions)
                await self._writer.publish(self._topic.name, key, encode_check(check), partition)
        except (KafkaError, TimeoutError):
            metrics.CHECKS_LOST.inc()

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._waiting)
