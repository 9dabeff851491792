"""What the door writes beside events goes on after its producer has ended for good, though no event comes."""

import asyncio
from collections.abc import Awaitable, Callable
from secrets import token_hex

import pytest
from aiokafka.errors import KafkaError

from dev.stack import Stack
from dev.trial.broker import Broker
from gateway_shadow.config import Limits
from gateway_shadow.log_writer import LogWriter
from spendgate.model.topics import load_topics

Write = Callable[[LogWriter, str], Awaitable[object]]
WAYS: dict[str, Write] = {
    "the outbox": lambda writer, topic: writer.publish(topic, b"acme", b"{}", 0),
    "checks": lambda writer, topic: writer.publish_all(topic, [(b"acme", b"{}", 0)]),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_producer_that_has_ended_is_replaced_whoever_writes(stack: Stack, way: str) -> None:
    topics = load_topics(prefix=f"writer-{token_hex(4)}.", replication=1)
    broker = Broker(stack.bootstrap, topics)
    broker.create([topics.checks])
    topic, write = topics.checks.name, WAYS[way]

    async def run() -> None:
        writer = LogWriter(stack.bootstrap, topics.events, Limits(), {})
        await write(writer, topic)
        assert writer._producer is not None
        await writer._producer.stop()  # as after an error that cannot be tried again
        with pytest.raises(KafkaError):
            await write(writer, topic)
        await write(writer, topic)
        await writer.close()

    try:
        asyncio.run(run())
        assert len(broker.read(topics.checks)) == 2
    finally:
        broker.close()
