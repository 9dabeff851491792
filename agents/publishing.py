"""Packed publishing: many documents a message, every acknowledgement awaited."""

import asyncio
from collections.abc import Iterable, Iterator

import faust
from aiokafka.structs import RecordMetadata

from agents.faults import publish_fault
from agents.faust_private import producer_of

LIMIT_BYTES = 512 * 1024


def pack(documents: Iterable[bytes], limit_bytes: int = LIMIT_BYTES) -> Iterator[bytes]:
    """JSON arrays of already encoded JSON documents, in order, each of at most ``limit_bytes`` bytes.

    A document that does not fit with its brackets stands alone in an array, above the limit. 500 calls denied by
    many policies exceed a broker's default message size, and a produce that always fails is a crash loop.
    """
    waiting: list[bytes] = []
    size = 1
    for document in documents:
        if waiting and size + len(document) + 1 > limit_bytes:
            yield b"[" + b",".join(waiting) + b"]"
            waiting, size = [], 1
        waiting.append(document)
        size += len(document) + 1
    if waiting:
        yield b"[" + b",".join(waiting) + b"]"


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
        sent = await producer_of(self._app).send(topic, value, key=key, partition=partition)
        return sent
