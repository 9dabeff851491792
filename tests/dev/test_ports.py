"""A free port is free, and stays out of the system's way."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE

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


_TAKE = """
import sys
from dev import ports
ports._FIRST, ports._LAST = int(sys.argv[1]), int(sys.argv[1]) + 40
print(*(ports.free_port() for _ in range(10)), flush=True)
sys.stdin.read()
"""


def test_two_processes_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of forty ports each of three takes ten; nobody listens on any of them."""
    first = free_port()
    monkeypatch.setattr("dev.ports._FIRST", first)
    monkeypatch.setattr("dev.ports._LAST", first + 40)
    taking = [sys.executable, "-c", _TAKE, str(first)]
    with ExitStack() as opened:
        others = [opened.enter_context(subprocess.Popen(taking, stdin=PIPE, stdout=PIPE, text=True)) for _ in range(2)]
        given = [free_port() for _ in range(10)]
        for other in others:
            assert other.stdout is not None
            given += map(int, other.stdout.readline().split())
    assert len(given) == len(set(given)) == 30


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
