"""Packing keeps every document, in order, and below the limit; publishing awaits every acknowledgement."""

import asyncio
import itertools
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError, RequestTimedOutError
from hypothesis import given
from hypothesis import strategies as st

from agents import publishing
from agents.publishing import Publisher, pack

documents = st.lists(st.integers(0, 10**40).map(lambda n: json.dumps({"n": n}).encode()))


@given(documents, st.integers(2, 300))
def test_packing_keeps_every_document_in_order(given_documents: list[bytes], limit: int) -> None:
    packed = [json.loads(message) for message in pack(given_documents, limit)]
    assert [d for message in packed for d in message] == [json.loads(d) for d in given_documents]
    assert all(packed)


@given(documents, st.integers(2, 300))
def test_no_message_is_above_the_limit_unless_its_only_document_is(documents: list[bytes], limit: int) -> None:
    for message in pack(documents, limit):
        assert len(message) <= limit or len(json.loads(message)) == 1


@given(documents, st.integers(2, 300))
def test_no_two_neighbours_would_have_fitted_into_one_message(documents: list[bytes], limit: int) -> None:
    messages = list(pack(documents, limit))
    for left, right in itertools.pairwise(messages):
        first = json.dumps(json.loads(right)[0], separators=(", ", ": ")).encode()
        assert len(left) + 1 + len(first) > limit


class Producer:
    """Takes messages; the future of each is resolved by the test, and one value is refused at once."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, asyncio.Future[None]]] = []

    async def send(self, topic: str, value: bytes, *, key: bytes | None, partition: int | None) -> Any:
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
