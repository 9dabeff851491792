"""A server that speaks another protocol is none of ours."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.ports import LOOPBACK
from dev.wire import kafka_cluster, redis_pid

_CLUSTER = "c" * 22


@contextmanager
def _saying(answer: bytes) -> Iterator[int]:
    """A server that says ``answer`` to its first client, and closes."""

    def serve(server: socket.socket) -> None:
        link, _ = server.accept()
        with link:
            link.recv(1024)
            link.sendall(answer)

    with socket.create_server((LOOPBACK, 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def _metadata(brokers: int) -> bytes:
    """An answer to Kafka's Metadata request, version 2."""
    broker = struct.pack(">ih4sih", 1, 4, b"host", 9092, -1) * brokers
    body = struct.pack(">ii", 0, brokers) + broker + struct.pack(">h", len(_CLUSTER)) + _CLUSTER.encode()
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize("brokers", [1, 3])
def test_a_kafka_with_live_brokers_tells_its_cluster(brokers: int) -> None:
    with _saying(_metadata(brokers)) as port:
        assert kafka_cluster(port) == _CLUSTER


def test_a_kafka_without_a_live_broker_is_not_ready() -> None:
    with _saying(_metadata(0)) as port:
        assert kafka_cluster(port) is None


def test_a_redis_that_still_loads_is_not_ready() -> None:
    with _saying(b"-LOADING the dataset is being loaded\r\n") as port:
        assert redis_pid(port) is None


_NEARLY = (b"HTTP/1.1 400 Bad Request\r\n\r\n", _metadata(1)[:-3], b"$1", b"$9\r\nprocess_id:x\r\n")


@given(st.binary(max_size=64) | st.sampled_from(_NEARLY))
def test_what_another_program_says_is_no_error_and_no_answer(answer: bytes) -> None:
    with _saying(answer) as port:
        assert kafka_cluster(port) != _CLUSTER
    with _saying(answer) as port:
        assert redis_pid(port) is None
