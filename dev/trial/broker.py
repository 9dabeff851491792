"""One world's topics on a broker: made, written to, and read whole."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from agents.delivery import Message
from dev.trial.waiting import until
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topic, Topics

logging.getLogger("kafka").setLevel(logging.CRITICAL)  # an outage is what these tests are about
MAX_BYTES = 4 * 1024 * 1024
SEND_WITHIN_S = 60
CREATE_WITHIN_MS = 60_000


class Broker:
    """``ends``: by partition of the event topic, the offset after the last record that was acknowledged."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self.bootstrap = bootstrap
        self.topics = topics
        self.ends: dict[int, int] = {}
        self._waiting: list[tuple[str, Any]] = []

    @cached_property
    def admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.bootstrap)

    @cached_property
    def producer(self) -> KafkaProducer:
        return KafkaProducer(bootstrap_servers=self.bootstrap, max_request_size=MAX_BYTES, linger_ms=2, acks="all")

    def create(self, topics: Sequence[Topic], settings: Mapping[str, str] | None = None) -> None:
        """Make topics as ``topics.yaml`` has them; ``settings`` of the broker win over its."""
        wanted = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": 1,
                "configs": {**topic.settings, **(settings or {})},
            }
            for topic in topics
        }
        self.admin.create_topics(wanted, timeout_ms=CREATE_WITHIN_MS, wait_for_metadata=True)

    def recreate(self, topic: Topic) -> None:
        """Delete a topic and make it anew, under the same name."""
        self.admin.delete_topics([topic.name])
        until(lambda: topic.name not in self.admin.list_topics(), "the topic deleted")
        if topic.name == self.topics.events.name:
            self.ends.clear()
        self.create([topic])
        self.producer.close()
        del self.producer

    def topic_id(self, topic: Topic | None = None) -> str:
        """The id of a topic, by default of the event topic."""
        return str(self.admin.describe_topics([(topic or self.topics.events).name])[0]["topic_id"])

    def forget(self, topic: Topic) -> list[Message]:
        """Let all records of a topic pass their retention, now; returns what they were."""
        gone = self.read(topic)
        ends = {TopicPartition(topic.name, m.partition): m.offset + 1 for m in gone}
        self.admin.delete_records(ends)
        return gone

    def send(
        self,
        topic: Topic,
        key: bytes | None,
        value: bytes | None,
        *,
        partition: int | None = None,
        at_ms: int | None = None,
    ) -> None:
        """Send one message, by default to the partition of its key; ``flush`` awaits what was sent."""
        if partition is None:
            partition = partition_of(key or b"", topic.partitions)
        future = self.producer.send(topic.name, key=key, value=value, partition=partition, timestamp_ms=at_ms)
        self._waiting.append((topic.name, future))

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged."""
        waiting, self._waiting = self._waiting, []
        for name, future in waiting:
            written = future.get(SEND_WITHIN_S)
            if name == self.topics.events.name:
                end = self.ends.get(written.partition, 0)
                self.ends[written.partition] = max(end, written.offset + 1)

    def committed(self, group: str) -> dict[int, int]:
        """What the group has committed of the event topic, by partition; empty while nobody answers."""
        try:
            offsets = self.admin.list_group_offsets(group)[group]
        except KafkaError:
            return {}
        name = self.topics.events.name
        return {place.partition: found.offset for place, found in offsets.items() if place.topic == name}

    def read(self, topic: Topic) -> list[Message]:
        """All that stands in a topic, partition by partition."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=2 * MAX_BYTES,
            check_crcs=False,  # in plain Python they cost more than all else of a large topic
            consumer_timeout_ms=1000 * SEND_WITHIN_S,
        )
        try:
            return _drain(consumer, [TopicPartition(topic.name, p) for p in range(topic.partitions)])
        finally:
            consumer.close()

    def close(self) -> None:
        """Let go of the connections."""
        for name, client in vars(self).items():
            if name == "producer":
                client.close(timeout=1)
            elif name == "admin":
                client.close()


def _drain(consumer: KafkaConsumer, places: Sequence[TopicPartition]) -> list[Message]:
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    found: list[Message] = []
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=500).values():
            found += [Message(r.partition, r.offset, r.key, r.value, r.timestamp) for r in records]
    return sorted(found, key=lambda message: (message.partition, message.offset))
