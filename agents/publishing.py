"""Packed publishing: many documents a message, every acknowledgement awaited."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import faust
from aiokafka.structs import RecordMetadata

from agents.faults import publish_fault
from agents.faust_private import producer_of
from telemetry.tracing import headers

T = TypeVar("T")
LIMIT_BYTES = 512 * 1024
TOGETHER = 250
"""How many documents are encoded in one go, which costs half of what they cost one by one."""


def pack(
    documents: Sequence[T],
    encode: Callable[[Sequence[T]], bytes],
    limit_bytes: int = LIMIT_BYTES,
    together: int = TOGETHER,
) -> Iterator[bytes]:
    """``documents`` in order as encoded arrays of ``together`` at most, each of at most ``limit_bytes`` bytes.

    A document that does not fit with its brackets stands alone in an array, above the limit. 500 calls denied by
    many policies exceed a broker's default message size, and a produce that always fails is a crash loop.
    """
    for start in range(0, len(documents), together):
        yield from _within(documents[start : start + together], encode, limit_bytes)


def _within(part: Sequence[T], encode: Callable[[Sequence[T]], bytes], limit_bytes: int) -> Iterator[bytes]:
    encoded = encode(part)
    if len(encoded) <= limit_bytes or len(part) == 1:
        yield encoded
        return
    middle = len(part) // 2
    yield from _within(part[:middle], encode, limit_bytes)
    yield from _within(part[middle:], encode, limit_bytes)


class Publisher:
    """Publishes through aiokafka's own producer of an app. ``topic.send`` costs four times as much, and its unawaited
    failure is a warning with the offset committed."""

    def __init__(self, app: faust.App | None = None) -> None:
        self._app = app

    def bind(self, app: faust.App) -> None:
        """Say whose producer to use; ``make_app`` does it for the publisher that it is given."""
        self._app = app

    async def publish(
        self, topic: str, batches: Iterable[tuple[bytes | None, bytes]], partition: int | None = None
    ) -> None:
        """Send every (key, value) and wait until the broker has acknowledged them all.

        Raises KafkaError if any was not: then some may have been written, and the caller publishes all again.
        """
        sent: list[asyncio.Future[RecordMetadata]] = []
        try:
            for key, value in batches:
                sent.append(await self._send(topic, key, value, partition))
        finally:
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _send(
        self, topic: str, key: bytes | None, value: bytes, partition: int | None
    ) -> asyncio.Future[RecordMetadata]:
        if self._app is None:
            raise RuntimeError("the publisher is not bound to an app")
        publish_fault()
        sent: asyncio.Future[RecordMetadata]
        sent = await producer_of(self._app).send(topic, value, key=key, partition=partition, headers=headers())
        return sent
