"""Free ports on the loopback address."""

import fcntl
import os
import secrets
import socket
import tempfile
from functools import cache
from pathlib import Path

from dev.errors import PortTakenError, StackError

LOOPBACK = "127.0.0.1"
_FIRST = 15_000
_LAST = 32_000
_RANGE_FILE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 200
_ours: set[int] = set()
"""What this process was given."""


def free_port() -> int:
    """A port nobody listens on, below the range that the system gives to outgoing connections.

    A port of that range is lost while its server is down: a client that reconnects to it may be given the
    very same port as its own, and then talks to itself. No two calls are given the same port, also not in two
    processes of one user: it is reserved for as long as the process lives, whether a server listens or not.
    """
    last = _below_outgoing()
    for _ in range(_TRIES):
        port = _FIRST + secrets.randbelow(last - _FIRST)
        if _reserve(port) and not is_taken(port):
            return port
    raise StackError(f"found no free port between {_FIRST} and {last} on {LOOPBACK}")


def is_taken(port: int) -> bool:
    """Whether some program listens on the port, or holds it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def require_free(port: int, name: str) -> None:
    """Raise PortTakenError where ``name`` cannot have the port."""
    if is_taken(port):
        raise port_taken(port, name)


def port_taken(port: int, name: str) -> PortTakenError:
    """The error for a port that another program holds."""
    return PortTakenError(f"port {port} on {LOOPBACK}, meant for {name}, is taken by another program")


def _below_outgoing() -> int:
    try:
        first = int(_RANGE_FILE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return _LAST
    return min(_LAST, first) if first > _FIRST + 1_000 else _LAST


def _reserve(port: int) -> bool:
    """Take the port's byte of the file of reservations; the system frees it with the process.

    A lock of POSIX, as all of a process's bytes hang on one open file; it says nothing within the process.
    """
    if port in _ours:
        return False
    try:
        fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except (BlockingIOError, PermissionError):
        return False
    _ours.add(port)
    return True


@cache
def _reservations() -> int:
    """The file of this user, open until the process ends: to close it would free what it reserved."""
    path = Path(tempfile.gettempdir()) / f"spendgate-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
