"""Packing keeps every document, in order, and below the limit; publishing awaits every acknowledgement."""

import asyncio
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, RequestTimedOutError
from hypothesis import given
from hypothesis import strategies as st

from agents import publishing
from agents.publishing import Publisher, pack

documents = st.lists(st.integers(0, 10**40), max_size=40)
limits, counts = st.integers(2, 300), st.integers(1, 12)


def encoded(part: Sequence[int]) -> bytes:
    return json.dumps(list(part), separators=(",", ":")).encode()


@given(documents, limits, counts)
def test_packing_keeps_every_document_in_order(given_documents: list[int], limit: int, together: int) -> None:
    packed = [json.loads(message) for message in pack(given_documents, encoded, limit, together)]
    assert [document for message in packed for document in message] == given_documents
    assert all(packed)


@given(documents, limits, counts)
def test_no_message_is_above_the_limit_unless_its_only_document_is(
    documents: list[int], limit: int, together: int
) -> None:
    for message in pack(documents, encoded, limit, together):
        assert len(message) <= limit or len(json.loads(message)) == 1


@given(documents, counts)
def test_what_fits_is_not_cut_into_more_messages_than_asked_for(documents: list[int], together: int) -> None:
    messages = [json.loads(message) for message in pack(documents, encoded, 10**6, together)]
    assert [len(message) for message in messages[:-1]] == [together] * (len(messages) - 1)
    assert len(messages) == -(-len(documents) // together)


class Producer:
    """Takes messages; the future of each is resolved by the test, and one value is refused at once."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, asyncio.Future[None]]] = []

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int | None, headers: Any) -> Any:
        if value == b"too large":
            raise MessageSizeTooLargeError
        self.sent.append((value, asyncio.get_running_loop().create_future()))
        return self.sent[-1][1]


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    made = Producer()
    monkeypatch.setattr(publishing, "producer_of", lambda _: made)
    return made


def publisher() -> Publisher:
    made = Publisher()
    made.bind(SimpleNamespace())  # type: ignore[arg-type]
    return made


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_publish_returns_only_when_all_is_acknowledged(producer: Producer) -> None:
    task = asyncio.create_task(publisher().publish("t", [(b"k", b"1"), (b"k", b"2")]))
    await turns()
    producer.sent[1][1].set_result(None)
    await turns()
    assert not task.done()
    producer.sent[0][1].set_result(None)
    await task


@pytest.mark.asyncio
async def test_one_refused_message_fails_them_all_after_the_rest_is_known(producer: Producer) -> None:
    task = asyncio.create_task(publisher().publish("t", [(b"k", b"1"), (b"k", b"2")]))
    await turns()
    producer.sent[0][1].set_exception(RequestTimedOutError())
    await turns()
    assert not task.done()
    producer.sent[1][1].set_result(None)
    with pytest.raises(RequestTimedOutError):
        await task


@pytest.mark.asyncio
async def test_a_message_refused_at_once_still_awaits_those_before_it(producer: Producer) -> None:
    task = asyncio.create_task(publisher().publish("t", [(b"k", b"1"), (b"k", b"too large")]))
    await turns()
    assert not task.done()
    producer.sent[0][1].set_result(None)
    with pytest.raises(MessageSizeTooLargeError):
        await task


@pytest.mark.asyncio
async def test_an_unbound_publisher_says_so() -> None:
    with pytest.raises(RuntimeError, match="not bound"):
        await Publisher().publish("t", [(None, b"1")])
