"""Checks onto ``spend.checks``, and what enforcing did to them onto ``spend.enforcements``, behind the answer: no call
waits for Kafka. What is lost is counted.

They are written some milliseconds' worth at a time: a produce request for each would cost more than the check.
"""

import asyncio
import logging
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from gateway_shadow import metrics
from gateway_shadow.log_writer import LogWriter
from spendgate.model.check import Check, encode_check
from spendgate.model.enforcement_record import Enforcement, encode_enforcement
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic, Topics

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
ACKNOWLEDGED_S = 10.0
GATHERED_S = 0.02
Message = tuple[str, bytes, bytes, int]
"""Topic, key, value, partition."""


class Recorder:
    """Writes checks and enforcement records, at most so many at a time."""

    def __init__(self, writer: LogWriter, topics: Topics) -> None:
        self._writer = writer
        self._topics = topics
        self._gathered: list[Message] = []
        self._writing: set[asyncio.Task[None]] = set()
        self._waiting = 0

    def check(self, check: Check) -> None:
        """Write a check soon."""
        self._record(self._topics.checks, check.tenant, encode_check(check))

    def enforcement(self, record: Enforcement) -> None:
        """Write what enforcing did soon."""
        self._record(self._topics.enforcements, record.tenant, encode_enforcement(record))

    def _record(self, topic: Topic, tenant: str, value: bytes) -> None:
        if self._waiting >= MOST_WAITING:
            metrics.CHECKS_LOST.inc()
            return
        self._waiting += 1
        key = tenant.encode()
        self._gathered.append((topic.name, key, value, partition_of(key, topic.partitions)))
        if len(self._gathered) == 1:
            asyncio.get_running_loop().call_later(GATHERED_S, self._write_gathered)

    def _write_gathered(self) -> None:
        messages, self._gathered = self._gathered, []
        for topic in dict.fromkeys(message[0] for message in messages):
            of_topic = [message[1:] for message in messages if message[0] == topic]
            task = asyncio.get_running_loop().create_task(self._write(topic, of_topic))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write(self, topic: str, messages: Sequence[tuple[bytes, bytes, int]]) -> None:
        lost = len(messages)
        try:
            async with asyncio.timeout(ACKNOWLEDGED_S):
                lost = await self._writer.publish_all(topic, messages)
        except (KafkaError, TimeoutError):
            pass  # they are counted
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end unseen
            log.error("checks are lost: %s", type(error).__name__)
        finally:
            metrics.CHECKS_LOST.inc(lost)
            self._waiting -= len(messages)

    async def close(self) -> None:
        """Write what was gathered, and wait for what is under way."""
        self._write_gathered()
        await asyncio.gather(*self._writing)
