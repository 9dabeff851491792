"""The demo's traffic: events out at a steady pace, decisions in as they come."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from kafka import KafkaConsumer, TopicPartition

from agents.delivery import Message
from dev.demo.tally import Tally
from spendgate.cli.kafka_client import Producer
from spendgate.ledger.packing import pack
from spendgate.model.decision import Decision
from spendgate.model.event import Event

SLICE = 500
_decode = msgspec.json.Decoder(list[Decision]).decode


@dataclass(slots=True)
class Sender:
    """Sends events from a thread of its own; ``sent`` counts those that the broker has acknowledged."""

    producer: Producer
    topic: str
    rate: int
    stop: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    error: Exception | None = None

    def run(self, events: Sequence[Event]) -> None:
        """Send all, at ``rate`` events a second (0: without a pause)."""
        try:
            begun = time.monotonic()
            for start in range(0, len(events), SLICE):
                part = events[start : start + SLICE]
                self.producer.wait([self.producer.send(self.topic, m.key, m.value) for m in pack(part, SLICE)])
                self.sent += len(part)
                due = begun + self.sent / self.rate if self.rate else 0.0
                if self.stop.wait(max(0.0, due - time.monotonic())):
                    return
        except Exception as error:  # noqa: BLE001 - carried over to the main thread, which raises it
            self.error = error


class Feed:
    """Decisions of some tenants, from now on."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, tenants: Iterable[str]) -> None:
        self._tenants = frozenset(tenants)
        self._consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, max_poll_records=500)
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._consumer.assign(places)
        self._consumer.seek_to_end(*places)
        for place in places:
            self._consumer.position(place)

    def poll(self, tally: Tally) -> None:
        """Take in what has come; waits a tenth of a second at most."""
        for records in self._consumer.poll(timeout_ms=100).values():
            for record in records:
                tally.take(d for d in _decode(record.value) if d.tenant in self._tenants)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()


def logged(bootstrap: str, topic: str, partition: int, start: int) -> Iterator[Message]:
    """The messages of a partition from offset ``start`` to its present end."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    place = TopicPartition(topic, partition)
    try:
        consumer.assign([place])
        end = consumer.end_offsets([place])[place]
        consumer.seek(place, start)
        while consumer.position(place) < end:
            for record in consumer.poll(timeout_ms=500).get(place, []):
                yield Message(record.partition, record.offset, record.key, record.value, record.timestamp)
    finally:
        consumer.close()


def ends(bootstrap: str, topic: str, partitions: Iterable[int]) -> Mapping[int, int]:
    """The end offset of each partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        places = [TopicPartition(topic, partition) for partition in partitions]
        return {place.partition: offset for place, offset in consumer.end_offsets(places).items()}
    finally:
        consumer.close()
