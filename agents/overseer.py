"""Watches over a worker: waits for the broker, brings work to an end before partitions go, and notices a standstill."""

import asyncio
import logging
import time

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.exits import Fatal
from agents.faust_private import App, Consumer, auth_of
from agents.health import HOPELESS_S, HealthServer
from agents.lanes import Lanes

REVOKE_WITHIN_S = 5.0
STOP_WITHIN_S = 7.0
PROBE_EVERY_S = 5.0
PROBE_WITHIN_S = 5.0
POSITION_WITHIN_S = 2.0
MISSING = 3

log = logging.getLogger(__name__)


class Probe:
    """Reads the bounds of partitions through a client of its own, so that a stuck consumer can't hide its lag."""

    def __init__(self, app: App, topic: str) -> None:
        self._app = app
        self._topic = topic
        self._client: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Connect, waiting for as long as it takes; raises Fatal if the topic does not exist."""
        complain_at = 0.0
        while self._client is None:
            try:
                self._client = await self._connected()
            except KafkaError as error:
                if time.monotonic() >= complain_at:
                    log.warning("no Kafka broker answers, waiting: %s", type(error).__name__)
                    complain_at = time.monotonic() + PROBE_EVERY_S
                await asyncio.sleep(0.5)
        if self._topic not in await self._client.topics():
            await self.stop()
            raise Fatal(f"topic {self._topic} does not exist; create it with: spendgate topics apply", MISSING)

    async def _connected(self) -> AIOKafkaConsumer:
        conf = self._app.conf
        servers = [f"{url.host}:{url.port}" for url in conf.broker_consumer]
        client = AIOKafkaConsumer(bootstrap_servers=servers, request_timeout_ms=5000, **auth_of(self._app))
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        return client

    async def bounds(self, partitions: frozenset[int]) -> dict[int, tuple[int, int]]:
        """Partition to its first offset and its end; raises KafkaError or TimeoutError if the broker is away."""
        if self._client is None or not partitions:
            return {}
        tps = [TopicPartition(self._topic, p) for p in partitions]
        async with asyncio.timeout(PROBE_WITHIN_S):
            begins = await self._client.beginning_offsets(tps)
            ends = await self._client.end_offsets(tps)
        return {tp.partition: (begins[tp], ends[tp]) for tp in tps}

    async def stop(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()


class Overseer:
    """See ``faust_private.Overseer`` for when its methods are called."""

    def __init__(
        self, lanes: Lanes, topic: str, server: HealthServer | None, *, max_messages: int, max_bytes: int
    ) -> None:
        self.lanes = lanes
        self.topic = topic
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self._server = server
        self._probe: Probe | None = None
        self._probe_at = 0.0

    async def starting(self) -> None:
        """Serve health at once, then wait for the broker."""
        if self._server is not None:
            await self._server.start()
        self._probe = Probe(self.lanes.app, self.topic)
        await self._probe.start()

    async def revoking(self, partitions: frozenset[int]) -> None:
        """Let the batches in hand end, then tell the handler."""
        await self.lanes.quiet(REVOKE_WITHIN_S)
        if partitions:
            await self.lanes.handler.revoked(partitions)

    async def assigned(self, partitions: frozenset[int]) -> None:
        """Tell the handler, then let work begin."""
        log.info("assigned: %s", ",".join(map(str, sorted(partitions))) or "nothing")
        self.lanes.health.assigned(partitions)
        await self.lanes.handler.assigned(partitions)
        self.lanes.gate.open()

    async def stopping(self) -> None:
        """Bound the stop, and unless the worker crashed let the batches in hand end and be committed."""
        self.lanes.exit.within()
        if self.lanes.exit.reason is None and self.lanes.health.joined:
            await self.lanes.quiet(STOP_WITHIN_S)
            await self.lanes.handler.revoked(self.lanes.health.partitions)
            await self.lanes.consumer.commit_soon()
        if self._probe is not None:
            await self._probe.stop()
        if self._server is not None:
            await self._server.stop()

    def failed(self, reason: BaseException) -> None:
        """The worker has crashed: see that it ends."""
        self.lanes.exit.crash(reason)

    async def watch(self, consumer: Consumer) -> None:
        """Every few seconds: measure the lag, and end a worker that makes no progress although there is some."""
        now = time.monotonic()
        if now < self._probe_at or self._probe is None:
            return
        self._probe_at = now + PROBE_EVERY_S
        health = self.lanes.health
        try:
            bounds = await self._probe.bounds(health.partitions)
        except (KafkaError, TimeoutError):
            health.saw("broker", reachable=False)
            health.lag = None
            health.progress()  # that nothing moves while the broker is away proves nothing
            return
        health.saw("broker", reachable=True)
        health.lag = sum([await self._lag(consumer, p, begin, end) for p, (begin, end) in bounds.items()])
        if not health.lag:
            health.progress()
        elif health.stalled_s() > HOPELESS_S:
            self.failed(RuntimeError(f"no progress for {health.stalled_s():.0f} s, lag {health.lag}"))

    async def _lag(self, consumer: Consumer, partition: int, begin: int, end: int) -> int:
        """Offsets still to be done. A log may end in a record that is never delivered (the end of a transaction), so
        where nothing is in hand the fetcher is asked where it stands; if its thread is stuck, it does not answer."""
        tp = TP(self.topic, partition)
        lag = max(0, end - max(consumer.done(tp), begin))
        if not lag:
            return 0
        try:
            async with asyncio.timeout(POSITION_WITHIN_S):
                return 0 if await consumer.nothing_left(tp) == end else lag
        except (KafkaError, TimeoutError):
            return lag
