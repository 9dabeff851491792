"""Does a server answer, and is it the one we mean? Asked in its own protocol, with no client library."""

import socket
import struct
from io import BufferedReader

from dev.ports import LOOPBACK

_TIMEOUT_S = 2.0
_METADATA_V2 = struct.pack(">hhih", 3, 2, 0, -1) + struct.pack(">i", 0)
"""Kafka's Metadata request: api 3, version 2, correlation 0, no client id, no topics."""
_LARGEST_ANSWER_BYTES = 1 << 20


def kafka_cluster(port: int, timeout_s: float = _TIMEOUT_S) -> str | None:
    """The cluster id of the Kafka that answers there and lists a live broker; None where none does."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout_s) as link:
            link.sendall(struct.pack(">i", len(_METADATA_V2)) + _METADATA_V2)
            return _read_cluster(link.makefile("rb"))
    except (OSError, struct.error, UnicodeDecodeError):
        return None


def redis_pid(port: int, timeout_s: float = _TIMEOUT_S) -> int | None:
    """The process id of the Redis or Valkey that answers there; None where none does."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout_s) as link:
            link.sendall(b"INFO server\r\n")
            return _read_pid(link.makefile("rb"))
    except (OSError, ValueError):
        return None


def _read_cluster(answer: BufferedReader) -> str | None:
    """Brokers (node, host, port, rack), then the cluster id; lengths are big-endian, -1 stands for null."""
    size, _correlation, brokers = _numbers(answer, ">iii")
    if not 0 < size < _LARGEST_ANSWER_BYTES or not 0 < brokers < size:
        return None
    for _ in range(brokers):
        _numbers(answer, ">i")
        _text(answer)
        _numbers(answer, ">i")
        _text(answer)
    return _text(answer)


def _read_pid(answer: BufferedReader) -> int | None:
    if not answer.readline(64).startswith(b"$"):
        return None
    for line in answer:
        name, _, value = line.partition(b":")
        if name == b"process_id":
            return int(value)
        if name == b"config_file":
            return None
    return None


def _numbers(answer: BufferedReader, form: str) -> tuple[int, ...]:
    return struct.unpack(form, answer.read(struct.calcsize(form)))


def _text(answer: BufferedReader) -> str | None:
    (length,) = _numbers(answer, ">h")
    return None if length < 0 else answer.read(length).decode()
