"""The process table, which is the only record of what runs.

A server of ours is known by a run of its own arguments (its class and the path of its configuration), never
by a number in a file: such a number may belong to another program by now.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_PROC = Path("/proc")


def find(signature: Sequence[str]) -> list[int]:
    """The ids of the live processes whose arguments hold ``signature`` in a row, lowest first."""
    wanted = _joined(signature)
    return sorted(pid for pid, arguments in _table() if wanted in arguments)


def send(signature: Sequence[str], number: signal.Signals) -> None:
    """Send a signal to the processes that ``find`` names, and to no other, even where ids are reused."""
    for pid in find(signature):
        _send_one(pid, _joined(signature), number)


if sys.platform == "linux":

    def _joined(arguments: Sequence[str]) -> bytes:
        return b"".join(b"\0" + os.fsencode(argument) for argument in arguments) + b"\0"

    def _arguments(pid: int) -> bytes:
        try:
            return b"\0" + (_PROC / str(pid) / "cmdline").read_bytes()
        except OSError:
            return b""

    def _table() -> Iterator[tuple[int, bytes]]:
        for entry in _PROC.iterdir():
            if entry.name.isdigit():
                yield int(entry.name), _arguments(int(entry.name))

    def _send_one(pid: int, wanted: bytes, number: signal.Signals) -> None:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if wanted in _arguments(pid):
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

else:

    def _joined(arguments: Sequence[str]) -> bytes:
        return b" ".join(os.fsencode(argument) for argument in arguments)

    def _table() -> Iterator[tuple[int, bytes]]:
        listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, check=True)
        for line in listing.stdout.splitlines():
            pid, _, command = line.strip().partition(b" ")
            yield int(pid), command

    def _send_one(pid: int, wanted: bytes, number: signal.Signals) -> None:
        if any(other == pid and wanted in arguments for other, arguments in _table()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
