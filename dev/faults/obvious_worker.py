"""The obvious design: a counter for each team's month in Redis, raised by ``INCRBYFLOAT``, with a TTL and no mark.

As LiteLLM keeps spend: the counter's period is that of the clock when the call arrives (here the record's time), its
TTL ends it, a float holds dollars. Offsets are committed after the decisions were published, so nothing is lost, and
what was counted before a crash is counted again after it. Faults of Redis end it, and a supervisor starts it anew.
"""

import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord
from redis.asyncio import Redis

from agents.faults import fault_point

RECORDS = 100
TTL_S = 31 * 86400


class _Saying(ConsumerRebalanceListener):  # type: ignore[misc]
    """Says what it was assigned, as our workers do."""

    async def on_partitions_assigned(self, assigned: Any) -> None:
        named = ",".join(str(each.partition) for each in sorted(assigned)) or "nothing"
        sys.stderr.write(f"assigned: {named}\n")
        sys.stderr.flush()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        pass


def period(timestamp_ms: int) -> str:
    """The month of a record's time, in UTC."""
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).strftime("%Y-%m")


async def judge(redis: "Redis", producer: AIOKafkaProducer, record: ConsumerRecord) -> None:
    """One call: count it, say what the count means, publish that."""
    event = json.loads(record.value)
    key = f"{os.environ['OBVIOUS_PREFIX']}:{event['tenant']}:{event.get('team')}:{period(record.timestamp)}"
    spent = float(await redis.incrbyfloat(key, event.get("cost_nano_usd", 0) / 1e9))
    await redis.expire(key, TTL_S, nx=True)
    await fault_point("incremented")
    verdict = "deny" if spent > float(os.environ["OBVIOUS_CAP_USD"]) else "approve"
    decision = {"event_id": event["id"], "tenant": event["tenant"], "verdict": verdict, "spent_usd": spent}
    await producer.send(os.environ["OBVIOUS_DECISIONS"], json.dumps(decision).encode(), key=record.key)


async def main() -> None:
    """Until something fails."""
    kafka, group = os.environ["SPENDGATE_KAFKA"], os.environ["SPENDGATE_GROUP"]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest",
        session_timeout_ms=10_000, heartbeat_interval_ms=1_000,
    )  # fmt: skip
    consumer.subscribe([os.environ["OBVIOUS_EVENTS"]], listener=_Saying())
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=2)
    redis = Redis.from_url(os.environ["SPENDGATE_REDIS"], socket_timeout=3)
    await producer.start()
    await consumer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=500, max_records=RECORDS)).values():
            for record in records:
                await judge(redis, producer, record)
            await producer.flush()
            await fault_point("published")
            await consumer.commit()
            await fault_point("committed")


if __name__ == "__main__":
    asyncio.run(main())
