"""Checks onto ``spend.checks``, behind the answer: no call waits for Kafka. What is lost is counted.

They are written some milliseconds' worth at a time: a produce request for each would cost more than the check.
"""

import asyncio
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from gateway_shadow import metrics
from gateway_shadow.log_writer import LogWriter
from spendgate.model.check import Check, encode_check
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic

MOST_WAITING = 10_000
ACKNOWLEDGED_S = 10.0
GATHERED_S = 0.02


class Recorder:
    """Writes checks to ``topic``, at most so many at a time."""

    def __init__(self, writer: LogWriter, topic: Topic) -> None:
        self._writer = writer
        self._topic = topic
        self._gathered: list[Check] = []
        self._writing: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def record(self, check: Check) -> None:
        """Write a check soon."""
        if self._waiting >= MOST_WAITING:
            metrics.CHECKS_LOST.inc()
            return
        self._waiting += 1
        self._gathered.append(check)
        if len(self._gathered) == 1:
            asyncio.get_running_loop().call_later(GATHERED_S, self._write_gathered)

    def _write_gathered(self) -> None:
        checks, self._gathered = self._gathered, []
        if checks:
            task = asyncio.get_running_loop().create_task(self._write(checks))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write(self, checks: Sequence[Check]) -> None:
        try:
            async with asyncio.timeout(ACKNOWLEDGED_S):
                lost = await self._writer.publish_all(self._topic.name, [self._message(each) for each in checks])
        except (KafkaError, TimeoutError):
            lost = len(checks)
        metrics.CHECKS_LOST.inc(lost)
        self._waiting -= len(checks)

    def _message(self, check: Check) -> tuple[bytes, bytes, int]:
        key = check.tenant.encode()
        return key, encode_check(check), partition_of(key, self._topic.partitions)

    async def close(self) -> None:
        """Write what was gathered, and wait for what is under way."""
        self._write_gathered()
        await asyncio.gather(*self._writing)
