"""Decisions as they are published, to whoever watches: one consumer a door, and a bounded queue for each who watches.

Who reads too slowly is told how many were left out, and holds up nobody: not the others, and never the stream.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from gateway_shadow.live.ids import Place, Told
from gateway_shadow.live.watcher import Wants, Watcher
from spendgate.model.decision import read_decisions
from spendgate.model.partition import partition_of

log = logging.getLogger(__name__)

MOST_A_TENANT = 50
AGAIN_S = 2.0
_SIGN = b'"decision_id":'
"""Stands once in each decision of a message."""


class TooMany(Exception):
    """So many watch this tenant already."""


class Live:
    """``topic``: of decisions. The consumer runs while somebody watches, from the end of the topic on; after a fault
    of Kafka it goes on where it was."""

    def __init__(self, bootstrap: str, topic: str, security: Mapping[str, Any]) -> None:
        self._settings = {"bootstrap_servers": bootstrap, "auto_offset_reset": "latest", **security}
        self._topic = topic
        self._next: dict[int, int] = {}
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    @asynccontextmanager
    async def watch(
        self, tenant: str, wants: Wants | None = None, at_most: int | None = None
    ) -> AsyncIterator[Watcher]:
        """Watch a tenant's decisions, from now on; see Watcher. Raises TooMany."""
        if Counter(each.tenant for each in self._watchers)[tenant] >= MOST_A_TENANT:
            raise TooMany
        watcher = Watcher(tenant, wants, at_most)
        self._watchers.add(watcher)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                await self.close()

    async def has_begun(self) -> None:
        """Return once what is published from now on will be told."""
        await self._begun.wait()

    def now(self, tenant: str) -> Place:
        """The place that is read next, for a tenant; what stands before it has been told. Only once it has begun."""
        partition = partition_of(tenant.encode(), len(self._next))
        return Place(partition, self._next[partition])

    async def close(self) -> None:
        """Stop reading."""
        reading, self._reading = self._reading, None
        self._begun.clear()
        self._next.clear()
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _read(self) -> None:
        while True:
            try:
                await self._read_on()
            except (KafkaError, OSError) as error:
                log.warning("live decisions wait: %s", type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end unseen: who watches waits for it
                log.error("live decisions wait: %s", type(error).__name__)
            self._begun.clear()
            await asyncio.sleep(AGAIN_S)

    async def _read_on(self) -> None:
        consumer = AIOKafkaConsumer(self._topic, enable_auto_commit=False, **self._settings)
        try:
            await consumer.start()
            for place in consumer.assignment():
                if place.partition in self._next:
                    consumer.seek(place, self._next[place.partition])
                self._next[place.partition] = await consumer.position(place)
            if not self._next:
                raise UnknownTopicOrPartitionError
            self._begun.set()
            async for message in consumer:
                self._tell(message.key or b"", message.value or b"", Place(message.partition, message.offset))
                self._next[message.partition] = message.offset + 1
        finally:
            await consumer.stop()

    def _tell(self, key: bytes, value: bytes, at: Place) -> None:
        tenant = key.decode(errors="replace")
        watchers = [each for each in self._watchers if each.tenant == tenant]
        if not watchers:
            return
        count, behind = count_of(value), Place(at.partition, at.offset + 1)
        watchers = [each for each in watchers if not each.pass_over(count, behind)]
        if not watchers:
            return
        for told in told_of(value, at):
            for watcher in watchers:
                watcher.tell(told)


def count_of(value: bytes) -> int:
    """How many decisions a message holds; it is not decoded, and asked once for all who watch."""
    return value.count(_SIGN)


def told_of(value: bytes, at: Place) -> list[Told]:
    """The decisions of the message at a place, from its index on; none of one that cannot be read."""
    decisions = read_decisions(value)
    if decisions is None:
        log.warning("a message of decisions cannot be read")
    return [
        Told(each, Place(at.partition, at.offset, index + 1))
        for index, each in enumerate(decisions or ())
        if index >= at.item
    ]
