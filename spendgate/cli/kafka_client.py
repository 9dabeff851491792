"""Kafka for the command line, on kafka-python: an idempotent producer, and a reader of whole topics.

Import it inside a command only, for it needs the ``services`` extra.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConfigurationError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from spendgate.kafka_security import kafka_security
from spendgate.model.partition import partition_of

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what it would say is told to the user in one line

_ATTEMPT_S = 2.0
_BATCH_BYTES = 512 * 1024
_METADATA_S = 3.0
_AGAIN_S = 0.1
_POLL_MS = 250
_LINGER_MS = 5
_FETCH_ROWS = 2000
_CLOSE_S = 5.0
T = TypeVar("T")

Notice = Callable[[str], None]
"""Takes one line for the user while something is waited for."""


class KafkaAway(Exception):
    """The broker did not answer in time, or refused. The message is fit for a user."""


class Acknowledgement(Protocol):
    """What ``Producer.send`` returns: done once the broker has acknowledged."""

    is_done: bool

    def get(self, timeout: float | None = None) -> object:
        """Wait for so many seconds; raises a KafkaError."""


class Row(NamedTuple):
    """One message of a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def _connected(make: Callable[[int], T], bootstrap: str, timeout_s: float, notice: Notice) -> T:
    """What ``make`` returns, once the broker answers. Raises KafkaAway after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    told = False
    while (left_s := deadline - time.monotonic()) > 0:
        try:
            return make(int(1000 * min(_ATTEMPT_S, left_s)) or 1)
        except (ValueError, AssertionError, KafkaConfigurationError):
            raise KafkaAway("expected Kafka as host:port[,host:port], and settings that fit together") from None
        except KafkaError:
            if not told:
                notice(f"Kafka at {bootstrap} does not answer; waiting for up to {timeout_s:g} s")
                told = True
    raise KafkaAway(f"Kafka at {bootstrap} did not answer within {timeout_s:g} s")


def _made(ask: Callable[[], T | None], topic: str) -> T:
    """What ``ask`` returns once it is not empty: a broker learns of a topic a moment after it was made."""
    deadline = time.monotonic() + _METADATA_S
    while not (found := ask()):
        if time.monotonic() > deadline:
            raise _missing(topic)
        time.sleep(_AGAIN_S)
    return found


def _unread(bootstrap: str, error: KafkaError) -> KafkaAway:
    return KafkaAway(f"Kafka at {bootstrap} could not be read ({type(error).__name__})")


def _missing(topic: str) -> KafkaAway:
    return KafkaAway(f"Kafka answers, but has no topic {topic}; run: spendgate topics apply")


def topic_id_of(bootstrap: str, topic: str, timeout_s: float, notice: Notice) -> str:
    """The id that the broker gave the topic when it was made. Raises KafkaAway."""
    admin = _connected(
        lambda bootstrap_ms: KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","), bootstrap_timeout_ms=bootstrap_ms, **kafka_security()
        ),
        bootstrap,
        timeout_s,
        notice,
    )

    def known() -> str | None:
        (found,) = admin.describe_topics([topic])
        return None if found["error_code"] else str(found["topic_id"])

    try:
        return _made(known, topic)
    except KafkaError as error:
        raise _unread(bootstrap, error) from None
    finally:
        admin.close()


class Producer:
    """Sends with ``acks=all`` and idempotence, to the partition that murmur2 of the key names.

    A message that is not acknowledged within ``timeout_s`` counts as not sent. Raises KafkaAway.
    """

    def __init__(self, bootstrap: str, timeout_s: float, notice: Notice) -> None:
        self._bootstrap = bootstrap
        self._timeout_s = timeout_s
        self._notice = notice
        self._partitions: dict[str, int] = {}
        delivery_ms = max(1000, int(timeout_s * 1000))
        self._producer = _connected(
            lambda bootstrap_ms: KafkaProducer(
                bootstrap_servers=bootstrap.split(","),
                bootstrap_timeout_ms=bootstrap_ms,
                allow_auto_create_topics=False,
                enable_idempotence=True,
                acks="all",
                batch_size=_BATCH_BYTES,
                linger_ms=_LINGER_MS,
                max_block_ms=int(1000 * _METADATA_S),
                request_timeout_ms=min(30_000, delivery_ms),
                delivery_timeout_ms=delivery_ms + _LINGER_MS,
                reconnect_backoff_max_ms=2000,
                metrics_enabled=False,
                **kafka_security(),
            ),
            bootstrap,
            timeout_s,
            notice,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(KafkaError):  # what was not acknowledged has been reported by ``wait``
            self._producer.close(timeout=_CLOSE_S if kind is None else 0)

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has."""
        if topic not in self._partitions:
            try:
                self._partitions[topic] = len(self._producer.partitions_for(topic))
            except TopicAuthorizationFailedError:
                raise KafkaAway(f"Kafka does not let this client write to {topic}") from None
            except KafkaError:
                raise _missing(topic) from None
        return self._partitions[topic]

    def send(self, topic: str, key: bytes, value: bytes) -> Acknowledgement:
        """Hand one message over; ``wait`` for what this returns."""
        partition = partition_of(key, self.partitions(topic))
        try:
            future: Acknowledgement = self._producer.send(topic, value, key, partition=partition)
        except KafkaError as error:
            raise self._lost(error) from None
        return future

    def wait(self, sent: Iterable[Acknowledgement]) -> None:
        """Return once all are acknowledged; raises KafkaAway as soon as one is known not to be."""
        told = False
        for one in sent:
            while True:
                try:
                    one.get(_ATTEMPT_S)
                    break
                except KafkaError as error:
                    if one.is_done or not isinstance(error, KafkaTimeoutError):
                        raise self._lost(error) from None
                if not told:
                    self._notice(f"Kafka at {self._bootstrap} does not acknowledge; waiting")
                    told = True

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """Send one message and wait for its acknowledgement."""
        self.wait([self.send(topic, key, value)])

    def _lost(self, error: KafkaError) -> KafkaAway:
        if isinstance(error, KafkaTimeoutError):
            return KafkaAway(f"Kafka at {self._bootstrap} did not acknowledge within {self._timeout_s:g} s")
        return KafkaAway(f"Kafka refused a message ({type(error).__name__})")


class TopicReader:
    """Reads all partitions of a topic from the beginning; in no group, commits nothing. Raises KafkaAway."""

    def __init__(self, bootstrap: str, topic: str, timeout_s: float, notice: Notice) -> None:
        self._bootstrap = bootstrap
        self._consumer = _connected(
            lambda bootstrap_ms: KafkaConsumer(
                bootstrap_servers=bootstrap.split(","),
                bootstrap_timeout_ms=bootstrap_ms,
                allow_auto_create_topics=False,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_poll_records=_FETCH_ROWS,
                fetch_max_wait_ms=_POLL_MS,
                reconnect_backoff_max_ms=2000,
                metrics_enabled=False,
                **kafka_security(),
            ),
            bootstrap,
            timeout_s,
            notice,
        )
        try:
            partitions = _made(lambda: self._consumer.partitions_for_topic(topic), topic)
        except KafkaError as error:
            self._consumer.close()
            raise _unread(bootstrap, error) from None
        except KafkaAway:
            self._consumer.close()
            raise
        self._places = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        self._consumer.assign(self._places)
        self._consumer.seek_to_beginning(*self._places)
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def rows(self) -> Iterator[Row]:
        """What stands in the topic now; each partition in its order."""
        try:
            ends = self._consumer.end_offsets(self._places)
            deadline = time.monotonic() + self._timeout_s
            while any(self._consumer.position(place) < end for place, end in ends.items()):
                polled = self.poll()
                if polled:
                    deadline = time.monotonic() + self._timeout_s
                elif time.monotonic() > deadline:
                    raise KafkaAway(f"Kafka at {self._bootstrap} did not answer within {self._timeout_s:g} s")
                yield from polled
        except KafkaError as error:
            raise _unread(self._bootstrap, error) from None

    def poll(self) -> list[Row]:
        """What has come since; waits for up to a quarter of a second."""
        try:
            polled = self._consumer.poll(timeout_ms=_POLL_MS)
        except KafkaError as error:
            raise _unread(self._bootstrap, error) from None
        return [
            Row(record.partition, record.offset, record.key, record.value)
            for records in polled.values()
            for record in records
        ]
