"""The broker as the bench uses it: topics made and deleted, messages appended, offsets and append times read."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from spendgate.model.topics import Topic

_TICK_S = 0.005
_LARGEST_BYTES = 4 * 1024 * 1024


class Load(NamedTuple):
    """Message values for one partition, all under one key (the tenant)."""

    partition: int
    key: bytes
    values: Sequence[bytes]


class Record(NamedTuple):
    """A record as it stands in the log; the time is the broker's append time."""

    offset: int
    appended_ms: int
    value: bytes


class Broker:
    """One Kafka, at ``bootstrap`` (host:port)."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap)

    def make(self, topics: Iterable[Topic]) -> None:
        """Create topics as topics.yaml describes them."""
        wanted = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": topic.settings,
            }
            for topic in topics
        }
        self._admin.create_topics(wanted)

    def close(self, prefix: str) -> None:
        """Delete all topics under a prefix, those that Faust made for itself too, and disconnect."""
        made = [name for name in self._admin.list_topics() if name.startswith(prefix)]
        if made:
            self._admin.delete_topics(made)
        self._admin.close()

    def version(self) -> str:
        """What the broker says of itself."""
        return ".".join(map(str, self._admin.get_broker_version_data(1).broker_version))

    def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """The offset after the last record of each partition."""
        places = [TopicPartition(topic, partition) for partition in partitions]
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            return {place.partition: end for place, end in consumer.end_offsets(places).items()}
        finally:
            consumer.close()

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The committed offsets of a group, by topic and partition."""
        offsets = self._admin.list_group_offsets({group: None}).get(group, {})
        return {(place.topic, place.partition): found.offset for place, found in offsets.items()}

    def read(self, topic: str, starts: Mapping[int, int]) -> Iterator[tuple[int, Record]]:
        """All records from ``starts`` on to the present ends, with their partitions."""
        ends = self.ends(topic, starts)
        left = {partition for partition, end in ends.items() if starts[partition] < end}
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            max_partition_fetch_bytes=8 * _LARGEST_BYTES,
            fetch_max_bytes=16 * _LARGEST_BYTES,
        )
        try:
            consumer.assign([TopicPartition(topic, partition) for partition in left])
            for partition in left:
                consumer.seek(TopicPartition(topic, partition), starts[partition])
            while left:
                for place, records in consumer.poll(timeout_ms=1000, max_records=5000).items():
                    for record in records:
                        yield place.partition, Record(record.offset, record.timestamp, record.value)
                    if records and records[-1].offset + 1 >= ends[place.partition]:
                        left.discard(place.partition)
        finally:
            consumer.close()

    def append(self, topic: str, loads: Iterable[Load]) -> None:
        """Append all of it as fast as it goes; returns when the broker has it."""
        asyncio.run(self._append(topic, loads))

    async def _append(self, topic: str, loads: Iterable[Load]) -> None:
        async with self._producer() as producer:
            waiting: list[asyncio.Future[object]] = []
            for load in loads:
                waiting += await _send(producer, topic, load)
            await asyncio.gather(*waiting)

    def pace(self, topic: str, loads: Iterable[Load], within_s: float) -> None:
        """Append messages at a steady rate; those of a partition that are due together go in one request."""
        asyncio.run(self._pace(topic, list(loads), within_s))

    async def _pace(self, topic: str, loads: Sequence[Load], within_s: float) -> None:
        async with self._producer() as producer:
            begun, done, share = time.perf_counter(), 0.0, 0.0
            waiting: list[asyncio.Future[object]] = []
            while done < 1:
                share = min(1.0, (time.perf_counter() - begun) / within_s)
                for load in loads:
                    count = len(load.values)
                    due = load.values[int(done * count) : int(share * count)]
                    waiting += await _send(producer, topic, load._replace(values=due))
                done = share
                await asyncio.sleep(_TICK_S)
            await asyncio.gather(*waiting)

    def _producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            max_request_size=_LARGEST_BYTES,
            max_batch_size=65536,
        )


async def _send(producer: AIOKafkaProducer, topic: str, load: Load) -> list["asyncio.Future[object]"]:
    """Fill batches by hand: a tenth of what ``send`` costs for each message."""
    sent: list[asyncio.Future[object]] = []
    batch: BatchBuilder = producer.create_batch()
    for value in load.values:
        if batch.append(key=load.key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=load.partition))
            batch = producer.create_batch()
            batch.append(key=load.key, value=value, timestamp=None)
    if batch.record_count():
        sent.append(await producer.send_batch(batch, topic, partition=load.partition))
    return sent
