"""Enforcement records onto their topic, behind what they tell of: leases wait for no broker."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError

from agents.publishing import Publisher
from spendgate.model.enforcement_record import Enforcement, encode_enforcement
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
AGAIN_S = 1.0


@dataclass
class Teller:
    """Writes records to ``topic``, in order; while Kafka is away they wait, the oldest going first where there are too
    many."""

    publisher: Publisher
    topic: Topic
    _waiting: deque[Enforcement] = field(default_factory=lambda: deque(maxlen=MOST_WAITING))
    _some: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, records: Sequence[Enforcement]) -> None:
        """Write these soon."""
        self._waiting.extend(records)
        if records:
            self._some.set()

    async def keep(self) -> None:
        """Write on, until it is cancelled."""
        while True:
            await self._some.wait()
            while self._waiting:
                first = self._waiting[0]
                try:
                    await self.write([first])
                    if self._waiting and self._waiting[0] is first:  # else it has made room for a later one meanwhile
                        self._waiting.popleft()
                except KafkaError as error:
                    log.warning("enforcement records wait: %s", str(error) or type(error).__name__)
                    await asyncio.sleep(AGAIN_S)
            self._some.clear()

    async def write(self, records: Sequence[Enforcement]) -> None:
        """Write these now. Raises KafkaError."""
        for each in records:
            key = each.tenant.encode()
            message = key, encode_enforcement(each)
            await self.publisher.publish(self.topic.name, [message], partition_of(key, self.topic.partitions))
