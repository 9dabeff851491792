"""A free port is free, and stays out of the system's way."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dev.errors import PortTakenError
from dev.ports import LOOPBACK, free_port, is_taken, require_free


@contextmanager
def listening() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server((LOOPBACK, free_port())) as server:
        assert is_taken(server.getsockname()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its range in a file")
def test_a_free_port_is_no_port_of_outgoing_connections() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < first for port in (free_port() for _ in range(50)))


def test_a_port_that_is_held_is_refused_in_one_line() -> None:
    with listening() as port, pytest.raises(PortTakenError) as caught:
        require_free(port, "redis")
    assert str(caught.value) == f"port {port} on 127.0.0.1, meant for redis, is taken by another program"


def test_a_port_is_free_again_at_once_after_its_server_ended() -> None:
    with listening() as port, socket.create_connection((LOOPBACK, port)):
        pass
    assert not is_taken(port)
