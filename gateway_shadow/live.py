"""Decisions as they are published, to whoever watches: one consumer a door, and a bounded queue for each who watches.

Who reads too slowly is told how many were left out, and holds up nobody: not the others, and never the stream.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from spendgate.model.decision import Decision, read_decisions

log = logging.getLogger(__name__)

MOST_WAITING = 2_000
"""Decisions that wait for one who watches; what comes then is left out."""
MOST_A_TENANT = 50
AGAIN_S = 2.0


class Gap(NamedTuple):
    """So many decisions were left out here."""

    missed: int


@dataclass(eq=False)
class Watcher:
    """One who watches a tenant's decisions."""

    tenant: str
    _waiting: asyncio.Queue[Decision] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    _missed: int = 0

    def tell(self, decision: Decision) -> None:
        """A decision, or one more that is left out; the order stays, so a gap ends only once all before it are read."""
        if self._missed or self._waiting.full():
            self._missed += 1
        else:
            self._waiting.put_nowait(decision)

    async def next(self) -> Decision | Gap:
        """The next one."""
        if self._waiting.empty() and self._missed:
            gap, self._missed = Gap(self._missed), 0
            return gap
        return await self._waiting.get()


class TooMany(Exception):
    """So many watch this tenant already."""


class Live:
    """``topic``: of decisions. The consumer runs while somebody watches, from the end of the topic on."""

    def __init__(self, bootstrap: str, topic: str, security: Mapping[str, Any]) -> None:
        self._settings = {"bootstrap_servers": bootstrap, "auto_offset_reset": "latest", **security}
        self._topic = topic
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()

    @asynccontextmanager
    async def watch(self, tenant: str) -> AsyncIterator[Watcher]:
        """Watch a tenant's decisions, from now on. Raises TooMany."""
        if Counter(each.tenant for each in self._watchers)[tenant] >= MOST_A_TENANT:
            raise TooMany
        watcher = Watcher(tenant)
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

    async def close(self) -> None:
        """Stop reading."""
        reading, self._reading = self._reading, None
        self._begun.clear()
        if reading is not None:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _read(self) -> None:
        while True:
            try:
                await self._read_on()
            except KafkaError as error:
                log.warning("live decisions wait: %s", type(error).__name__)
            self._begun.clear()
            await asyncio.sleep(AGAIN_S)

    async def _read_on(self) -> None:
        consumer = AIOKafkaConsumer(self._topic, enable_auto_commit=False, **self._settings)
        try:
            await consumer.start()
            for partition in consumer.assignment():
                await consumer.position(partition)
            self._begun.set()
            async for message in consumer:
                self._tell(message.key or b"", message.value or b"")
        finally:
            await consumer.stop()

    def _tell(self, key: bytes, value: bytes) -> None:
        tenant = key.decode(errors="replace")
        watchers = [each for each in self._watchers if each.tenant == tenant]
        if not watchers:
            return
        decisions = read_decisions(value)
        if decisions is None:
            log.warning("a message of decisions cannot be read")
        for decision in decisions or ():
            for watcher in watchers:
                watcher.tell(decision)
