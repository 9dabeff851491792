"""Every private part of Faust and mode that the agents rely on, and nothing else; aiokafka_private.py is beneath.

Measured on faust-streaming 0.15.3, mode-streaming 0.7.1 and aiokafka 0.14; ``tests/agents/test_faust_contract.py``
holds each name and signature used here, so that another version fails loudly.

What differs from stock Faust, and why:

- Records reach the agent in chunks: one Faust message holds all that one fetch brought of a partition. Faust's cost is
  paid per message, so a chunk of a thousand records costs what one record did.
- What may be committed is what the agent acknowledged, as one offset a partition. Faust's own bookkeeping takes a
  first acknowledged offset that is one past the committed one for its continuation, and acknowledges what it skips.
- Whatever was fetched but not delivered is fetched again before anything else: the one place that seeks, and only
  between an assignment and the first delivery.
- When the queues are full the fetcher waits for room, not for a second.
- The group coordinator is asked for its errors; otherwise a refused JoinGroup leaves a worker that reads nothing.
- A commit that was refused or not answered is not noted as committed. Faust notes it, and never tries it again.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, cast

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from faust.types.auth import CredentialsT
from mode import Service
from mode.types import ServiceT

WATCH_EVERY_S = 2.0
COMMIT_WITHIN_S = 5.0
COMMIT_TRY_S = 15.0
FETCH_WAIT_MS = 10
FETCH_WAIT_S = 1.0
FULL_WAIT_S = 0.02


class Overseer(Protocol):
    """Who is told about the life of the consumer. All but ``failed`` are called on the main loop."""

    max_messages: int
    max_bytes: int

    async def revoking(self, partitions: frozenset[int]) -> None:
        """Partitions are about to be revoked: bring the work in hand to an end, soon."""

    async def assigned(self, partitions: frozenset[int]) -> None:
        """These partitions, and no others, are ours now; nothing of them has been delivered yet."""

    async def watch(self, consumer: "Consumer") -> None:
        """Called every few seconds while the consumer runs."""

    async def starting(self) -> None:
        """Called before anything is connected."""

    async def stopping(self) -> None:
        """The process is to end: bring the work in hand to an end, soon."""

    def failed(self, reason: BaseException) -> None:
        """A service has crashed, and with it the worker."""


class Chunk(ConsumerMessage):
    """Consecutive records of one partition under one Faust message, of one epoch of assignment."""

    __slots__ = ("epoch", "records")

    def __init__(self, tp: TP, records: Sequence[ConsumerRecord], epoch: int, generation: int) -> None:
        last = records[-1]
        super().__init__(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            None,
            None,
            None,
            None,
            tp=tp,
            generation_id=generation,
        )
        self.records = records
        self.epoch = epoch


def chunks(records: Sequence[ConsumerRecord], max_messages: int, max_bytes: int) -> Iterator[list[ConsumerRecord]]:
    """``records`` in order, cut so that no part has more messages or (unless it is a single one) bytes."""
    part: list[ConsumerRecord] = []
    size = 0
    for record in records:
        length = len(record.value or b"") + len(record.key or b"")
        if part and (len(part) >= max_messages or size + length > max_bytes):
            yield part
            part, size = [], 0
        part.append(record)
        size += length
    if part:
        yield part


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread: a commit refused because of a rebalance is no crash, and a crash prints no trace."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        """aiokafka has one fetch under way a broker, and leaves out partitions whose records wait: the others, if
        they are silent, then hold it for as long as Faust lets it wait (1.5 s), and the busy one starves."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        mine = self.assignment()
        wanted = {tp: offset for tp, offset in offsets.items() if tp in mine}
        if not wanted:
            return False
        consumer = self._ensure_consumer()
        try:
            # Bounded: one that an outage swallowed must not keep every later one waiting. It is tried again.
            async with asyncio.timeout(COMMIT_TRY_S):
                await consumer.commit({driver.ensure_aiokafka_TP(tp): offset for tp, offset in wanted.items()})
        except TimeoutError:
            self.log.warning("no answer to a commit for %.0f s, trying again", COMMIT_TRY_S)
            return False
        except (CommitFailedError, IllegalStateError) as refused:
            self.log.warning("commit refused, the records will be delivered again: %s", type(refused).__name__)
            return False
        except KafkaError as exc:
            await self.crash(exc)
            return False
        return len(wanted) == len(offsets)

    async def check_errors(self) -> None:
        """Raise what ended a background task of the consumer: aiokafka's own keep it to themselves."""
        consumer = self._consumer
        if consumer is None or consumer._coordinator is None:
            return
        await self.call_thread(consumer._coordinator.check_errors)
        refreshing = consumer._client._sync_task
        if refreshing is not None and refreshing.done():
            raise RuntimeError("the task that refreshes Kafka's metadata has ended")

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Called when the thread dies."""
        self.log.error(msg.format(*fmt))


class Consumer(driver.Consumer):
    """Delivers chunks, commits what was acknowledged, and watches its group coordinator."""

    app: "App"
    epoch: int = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._acknowledged: dict[TP, int] = {}
        self._expected: dict[TP, int] = defaultdict(int)
        self._room = asyncio.Event()
        self._rewind = False

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # Acknowledging and committing

    def acknowledge(self, tp: TP, offset: int, epoch: int) -> bool:
        """All records of ``tp`` before ``offset`` are done. False, and no effect, if it was revoked meanwhile."""
        if epoch != self.epoch:
            return False
        self._acknowledged[tp] = offset
        return True

    def done(self, tp: TP) -> int:
        """The offset up to which ``tp`` was acknowledged, or else committed; 0 if it never was."""
        return self._acknowledged.get(tp) or self._committed_offset.get(tp) or 0

    async def nothing_left(self, tp: TP) -> int | None:
        """The offset that would be fetched next of ``tp``, if all that was delivered of it is acknowledged."""
        return await self.position(tp) if self._expected.get(tp, 0) <= self.done(tp) else None

    def _filter_tps_with_pending_acks(self, topics: object = None) -> Iterator[TP]:
        return iter(tuple(self._acknowledged))

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        return {tp: self._acknowledged[tp] for tp in tps if self._should_commit(tp, self._acknowledged[tp])}

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        before = {tp: self._committed_offset.get(tp) for tp in offsets}
        committed = bool(await super()._commit_offsets(offsets, start_new_transaction))
        if not committed:
            self._committed_offset.update(before)
        return committed

    async def commit_soon(self) -> None:
        """Commit what is acknowledged; no error, and not for ever: what is not committed is delivered again."""
        try:
            await asyncio.wait_for(self.commit(), COMMIT_WITHIN_S)
        except (TimeoutError, KafkaError) as exc:
            self.log.warning("commit not confirmed: %s", type(exc).__name__)

    # Rebalancing

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish and commit what is in hand, then let go."""
        try:
            await self.app.overseer.revoking(_partitions(revoked))
        except Exception as exc:
            self.app.overseer.failed(exc)
            raise
        await self.commit_soon()
        self.epoch += 1
        self._acknowledged.clear()
        self._expected.clear()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let Faust start and stop actors, then open the gates."""
        self.epoch += 1
        try:
            await super().on_partitions_assigned(assigned, generation_id)
            await self.app.overseer.assigned(_partitions(assigned))
        except Exception as exc:
            self.app.overseer.failed(exc)
            raise

    async def perform_seek(self) -> None:
        """Go back to what is committed; where nothing is, to the start of the log, as ``earliest`` would."""
        await super().perform_seek()
        self._expected.clear()
        fresh = [tp for tp in self.assignment() if not self._committed_offset.get(tp)]
        try:
            if fresh:
                await self._thread.seek_to_beginning(*map(driver.ensure_aiokafka_TP, fresh))
        except IllegalStateError:  # revoked meanwhile
            self._rewind = True

    # Fetching

    def on_buffer_drop(self, tp: TP) -> None:
        """There is room again in the queue of ``tp``."""
        super().on_buffer_drop(tp)
        self._room.set()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own guess at slow streams knows nothing of chunks; the overseer's watch is used instead."""

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or cast("Service", fetcher).should_stop):
                await self._drain_once()
        except (asyncio.CancelledError, ConsumerStoppedError):
            # The fetcher takes a cancellation that it sees during a rebalance for a crash, a stop's own too.
            if not self.app.should_stop:
                raise

    async def _drain_once(self) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
            return
        if self._rewind:
            await self._go_back()
            return
        if not self._get_active_partitions():
            await self._wait_for_room()
            return
        epoch = self.epoch
        # A partition whose queue is full is left out: look again soon, or it starves beside silent ones.
        wait_s = FULL_WAIT_S if self._buffered_partitions else FETCH_WAIT_S
        fetched = await self._getmany(set(self._get_active_partitions()), timeout=wait_s)
        for tp, records in fetched.items():
            await self._deliver_all(ensure_TP(tp), records, epoch)

    async def _go_back(self) -> None:
        self._rewind = False
        if not self.assignment():
            return
        try:
            await asyncio.wait_for(self.perform_seek(), self.app.conf.broker_request_timeout)
        except (TimeoutError, KafkaError) as exc:
            self.log.warning("cannot go back to the committed offsets yet: %s", type(exc).__name__)
            self._rewind = True
            await self.sleep(0.5)

    async def _wait_for_room(self) -> None:
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._room.wait(), 0.2)

    async def _deliver_all(self, tp: TP, records: Sequence[ConsumerRecord], epoch: int) -> None:
        expected = self._expected[tp]
        if records and records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
        overseer = self.app.overseer
        for part in chunks(records, overseer.max_messages, overseer.max_bytes):
            if not await self._deliver(tp, part, epoch):
                self._rewind = True
                return

    async def _deliver(self, tp: TP, part: Sequence[ConsumerRecord], epoch: int) -> bool:
        if epoch != self.epoch or not self.flow_active:
            return False
        chunk = Chunk(tp, part, epoch, self.app.consumer_generation_id)
        delivery = await self.wait_first(self.callback(chunk), self.suspend_flow.wait())
        if delivery.stopped or epoch != self.epoch or not self.flow_active:
            return False
        self._expected[tp] = part[-1].offset + 1
        return True

    # Watching

    @Service.task
    async def _watch_coordinator(self) -> None:
        while not self.should_stop:
            await self.sleep(WATCH_EVERY_S)
            try:
                await cast("ConsumerThread", self._thread).check_errors()
            except Exception as exc:  # noqa: BLE001 - whatever it is, the group has no place for us
                if self.should_stop or self.app.should_stop:
                    return  # the consumer's thread has ended, as it was told to
                self.app.overseer.failed(exc)
                await self.crash(exc)

    @Service.task
    async def _watch_progress(self) -> None:
        while not self.should_stop:
            await self.sleep(WATCH_EVERY_S)
            await self.app.overseer.watch(self)


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer above."""

    Consumer: ClassVar[type[Any]] = Consumer


class App(faust.App):
    """A Faust app that tells an overseer of its life. No per-event sensor is added to it."""

    def __init__(self, name: str, *, overseer: Overseer, **options: Any) -> None:
        self.overseer = overseer
        super().__init__(name, **options)

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)

    async def on_first_start(self) -> None:
        """Called once, before anything is connected."""
        await self.overseer.starting()
        await super().on_first_start()

    async def stop(self) -> None:
        """Stop gracefully; both a crash and SIGTERM come through here."""
        if not self._stopped.is_set():
            await self.overseer.stopping()
        await super().stop()

    def _crash(self, reason: BaseException) -> None:
        self.overseer.failed(reason)
        super()._crash(reason)


class Worker(faust.Worker):
    """Runs the app in the foreground: no spinner, no process title, and a failed start has its reason told."""

    def __init__(self, app: App, *, loglevel: int) -> None:
        super().__init__(app, loglevel=loglevel, override_logging=False, redirect_stdouts=False, quiet=True)
        self.spinner = None
        self.overseer = app.overseer

    async def start(self) -> None:
        """Start, and stay until stopped."""
        try:
            await super().start()
        except Exception as exc:
            self.overseer.failed(exc)
            raise


def _partitions(tps: Iterable[TP]) -> frozenset[int]:
    return frozenset(tp.partition for tp in tps)


def producer_of(app: faust.App) -> AIOKafkaProducer:
    """aiokafka's own producer, which Faust started; raises faust.exceptions.NotReady before that."""
    return cast("driver.Producer", app.producer)._ensure_producer()


def auth_of(app: faust.App) -> Mapping[str, Any]:
    """The arguments that give another aiokafka client the app's credentials."""
    return driver.credentials_to_aiokafka_auth(app.conf.broker_credentials, app.conf.ssl_context)


def auth_of_credentials(credentials: CredentialsT | None) -> Mapping[str, Any]:
    """The arguments that give an aiokafka client these credentials."""
    return driver.credentials_to_aiokafka_auth(credentials)
