"""The outbox's relay as a task of the door: sends what waits, and goes on trying while Kafka or the store is away."""

import asyncio
import logging

from aiokafka.errors import KafkaError

from gateway_shadow import metrics
from gateway_shadow.log_writer import LogWriter
from policy_store.errors import StoreAway
from policy_store.relay import Relay
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topics

log = logging.getLogger(__name__)

EVERY_S, AGAIN_S, ACKNOWLEDGED_S = 0.2, 2.0, 10.0


class LoopWire:
    """A wire for the relay's thread, over the door's own producer."""

    def __init__(self, writer: LogWriter, topics: Topics, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._by_tenant = {topic.name for topic in topics.all if topic.keyed_by_tenant}
        self._partitions = topics.tenant_partitions
        self._loop = loop

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """See Wire. Raises KafkaError, TimeoutError."""
        partition = partition_of(key, self._partitions) if topic in self._by_tenant else 0
        sent = asyncio.run_coroutine_threadsafe(self._writer.publish(topic, key, value, partition), self._loop)
        sent.result(ACKNOWLEDGED_S)
        metrics.OUTBOX.inc()


async def keep_relaying(relay: Relay, stopping: asyncio.Event) -> None:
    """Until ``stopping``: what waits is sent soon after it was written."""
    while not stopping.is_set():
        try:
            sent = await asyncio.to_thread(relay.run_once)
            pause_s = 0.0 if sent else EVERY_S
        except (KafkaError, TimeoutError, StoreAway) as error:
            log.warning("the outbox waits: %s", str(error) or type(error).__name__)
            pause_s = AGAIN_S
        try:
            async with asyncio.timeout(pause_s):
                await stopping.wait()
        except TimeoutError:
            continue
