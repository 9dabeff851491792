"""The door's reader of ``spend.decisions``: what people should look at is taken into the policy store.

One consumer group for all processes: each partition is read by one of them at a time. Offsets are committed after the
store has what they stand for, so nothing is lost, and the store tells repeats, so nothing is there twice. While Kafka
or the store is away it waits, and no request or worker waits for it.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from gateway_shadow import metrics
from gateway_shadow.config import Config
from policy_store.decisions import Decisions
from policy_store.errors import StoreAway
from spendgate.model.topics import Topic

log = logging.getLogger(__name__)

POLL_MS, MESSAGES, AGAIN_S, MISSING_S = 1000, 20, 2.0, 10.0
GONE_MS = 6000
"""A process that is silent for so long has its partitions taken over by another one."""
Batch = Mapping[TopicPartition, list[ConsumerRecord[bytes, bytes]]]


def group_of(topic: Topic) -> str:
    """The consumer group; it has the prefix of the topic."""
    return f"{topic.name}.followed"


async def keep_following(config: Config, topic: Topic, decisions: Decisions) -> None:
    """Until it is cancelled."""
    while True:
        try:
            await _follow(config, topic, decisions)
        except (KafkaError, OSError) as error:
            log.warning("decisions wait for Kafka: %s", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end unseen; the offsets stay
            log.error("decisions wait: %s", type(error).__name__)
        await asyncio.sleep(AGAIN_S)


async def _follow(config: Config, topic: Topic, decisions: Decisions) -> None:
    settings: dict[str, Any] = {
        "bootstrap_servers": config.kafka, "group_id": group_of(topic), "enable_auto_commit": False,
        "auto_offset_reset": "earliest", "max_partition_fetch_bytes": topic.max_message_bytes,
        "session_timeout_ms": GONE_MS, "heartbeat_interval_ms": GONE_MS // 3, **config.security,
    }  # fmt: skip
    consumer = AIOKafkaConsumer(**settings)
    try:
        await consumer.start()
        await _until_there(consumer, topic)
        consumer.subscribe([topic.name])
        while True:
            batch = await consumer.getmany(timeout_ms=POLL_MS, max_records=MESSAGES)
            if batch:
                await _take(consumer, batch, decisions)
    finally:
        await consumer.stop()


async def _until_there(consumer: AIOKafkaConsumer, topic: Topic) -> None:
    """Wait for the topic to be made; whoever subscribes to one that is not there asks for it ten times a second."""
    while topic.name not in await consumer.topics():
        log.warning("decisions wait for their topic; run: spendgate topics apply")
        await asyncio.sleep(MISSING_S)


async def _take(consumer: AIOKafkaConsumer, batch: Batch, decisions: Decisions) -> None:
    try:
        taken = await asyncio.to_thread(decisions.take, [each.value for rows in batch.values() for each in rows])
    except StoreAway as error:
        log.warning("decisions wait: %s", error)
        _again(consumer, batch)
        await asyncio.sleep(AGAIN_S)
        return
    metrics.REVIEWS_ASKED.inc(taken.reviews)
    for alert in taken.alerts:
        metrics.ALERTS_RAISED.labels(alert.kind).inc()
    metrics.UNREADABLE_DECISIONS.inc(taken.unreadable)
    await consumer.commit({place: rows[-1].offset + 1 for place, rows in batch.items()})


def _again(consumer: AIOKafkaConsumer, batch: Batch) -> None:
    """Have the same messages again; those of partitions that are somebody else's by now are theirs."""
    for place, rows in batch.items():
        try:
            consumer.seek(place, rows[0].offset)
        except IllegalStateError:
            continue
