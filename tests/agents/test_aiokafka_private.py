"""What is mended in aiokafka: a closed transport is a broken connection, and lz4 runs at its fastest."""

import asyncio
from random import Random
from typing import Any

import pytest
from aiokafka import codec, conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from agents.aiokafka_private import LZ4_LEVEL, Connection, compression

RANDOM = Random(1)
VALUE = b",".join(b'{"decision_id":"%016x","verdict":"approve"}' % RANDOM.getrandbits(64) for _ in range(400))
LZ4 = 3


class ClosedWriter:
    """As uvloop's: whoever writes to a closed transport is told so."""

    def write(self, _: bytes) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    def close(self) -> None:
        """Closed already."""


class Request:
    """Just enough of a request to be sent."""

    def prepare(self, _: object) -> "Request":
        return self

    def build_request_header(self, **_: object) -> "Request":
        return self

    def encode(self) -> bytes:
        return b""


def test_aiokafka_makes_its_connections_of_ours() -> None:
    assert conn.AIOKafkaConnection is Connection


@pytest.mark.asyncio
async def test_writing_to_a_closed_transport_is_a_broken_connection() -> None:
    told: list[object] = []
    made: Any = Connection("broker", 9092, on_close=lambda _, reason: told.append(reason))
    made._reader, made._writer = asyncio.StreamReader(), ClosedWriter()
    made._read_task = asyncio.create_task(asyncio.sleep(0))
    with pytest.raises(KafkaConnectionError, match="the handler is closed"):
        made.send(Request())
    assert told == [conn.CloseReason.CONNECTION_BROKEN]
    assert not made.connected()
    await asyncio.gather(made._read_task or asyncio.sleep(0), return_exceptions=True)


@pytest.mark.asyncio
async def test_an_error_that_aiokafka_knows_is_left_as_it_is() -> None:
    with pytest.raises(KafkaConnectionError, match="No connection to broker"):
        Connection("broker", 9092).send(Request())


def test_batches_are_compressed_at_the_fastest_level() -> None:
    assert compression() == "lz4"
    builder = DefaultRecordBatchBuilder(2, LZ4, False, -1, -1, -1, 1 << 20)
    builder.append(0, 1, b"k", VALUE, [])
    plain = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    plain.append(0, 1, b"k", VALUE, [])
    header = 61
    built, raw = bytes(builder.build()), bytes(plain.build())
    assert built[header:] == codec.lz4_encode(raw[header:], level=LZ4_LEVEL)
    assert built[header:] != codec.lz4_encode(raw[header:])
