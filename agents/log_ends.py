"""Where a topic's partitions end, looked up over and over by one plain consumer: how fresh what follows them can be."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.log import close

log = logging.getLogger(__name__)

EVERY_S, AGAIN_S, REQUEST_MS = 0.5, 1.0, 5_000


class End(NamedTuple):
    """The offset that the next record will have, as it was at ``at_s`` (monotonic), when it was asked for."""

    offset: int
    at_s: float


@dataclass
class LogEnds:
    """The ends of ``topic``'s partitions as last read; ``wanted``: which. While Kafka is away they grow old."""

    bootstrap: str
    topic: str
    wanted: Callable[[], Collection[int]]
    auth: Mapping[str, Any] = field(default_factory=dict)
    ends: dict[int, End] = field(default_factory=dict)

    async def keep(self) -> None:
        """Read on, until it is cancelled."""
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self.bootstrap, enable_auto_commit=False, request_timeout_ms=REQUEST_MS, **self.auth
            )
            try:
                await consumer.start()
                while True:
                    await self._read(consumer)
                    await asyncio.sleep(EVERY_S)
            except (KafkaError, OSError) as error:
                log.warning("where the log ends cannot be read: %s", str(error) or type(error).__name__)
                await asyncio.sleep(AGAIN_S)
            finally:
                await close(consumer)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        places = [TopicPartition(self.topic, partition) for partition in self.wanted()]
        at_s = time.monotonic()
        found = await consumer.end_offsets(places) if places else {}
        self.ends.update({place.partition: End(offset, at_s) for place, offset in found.items()})
