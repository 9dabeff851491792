"""The process table, which is the only record of what runs.

A server of ours is known by a run of its own arguments (its class and the path of its configuration), never
by a number in a file: such a number may belong to another program by now.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from dev.errors import StackError

_PROC = Path("/proc")
_POLL_S = 0.05
_STILL = (b"T", b"Z", b"X")


def find(signature: Sequence[str]) -> list[int]:
    """The ids of the live processes whose arguments hold ``signature`` in a row, lowest first."""
    wanted = _joined(signature)
    return sorted(pid for pid, arguments in _table() if wanted in arguments)


def send(signature: Sequence[str], *numbers: signal.Signals) -> None:
    """Send signals to the processes that ``find`` names, and to no other, even where ids are reused."""
    end(signature, numbers, timeout_s=0)


if sys.platform == "linux":

    def end(signature: Sequence[str], numbers: Sequence[signal.Signals], timeout_s: float) -> bool:
        """Send the signals, and wait until the processes are gone to the last thread and socket.

        A process loses its arguments before it frees its ports, so the table alone would tell too early.
        False where one is still there after ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        with ExitStack() as opened:
            handles = [_opened(pid, _joined(signature), opened) for pid in find(signature)]
            found = [handle for handle in handles if handle is not None]
            for handle in found:
                for number in numbers:
                    _signal(handle, number)
            return all(_gone(handle, deadline) for handle in found)

    def stands_still(pid: int) -> bool:
        """Whether every thread of the process is stopped by a signal (or the process is gone)."""
        with suppress(FileNotFoundError, ProcessLookupError):
            states = [(task / "stat").read_bytes() for task in (_PROC / str(pid) / "task").iterdir()]
            return all(state.rpartition(b") ")[2][:1] in _STILL for state in states)
        return True

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

    def _opened(pid: int, wanted: bytes, opened: ExitStack) -> int | None:
        """A handle that means this very process; None where the id is another's by now."""
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            opened.callback(os.close, handle)
            return handle if wanted in _arguments(pid) else None
        return None

    def _signal(handle: int, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            return
        except PermissionError as error:
            raise StackError("another user started a server of this directory, and must end it") from error

    def _gone(handle: int, deadline: float) -> bool:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

else:

    def end(signature: Sequence[str], numbers: Sequence[signal.Signals], timeout_s: float) -> bool:
        """Send the signals, and wait until the processes are gone; False where one remains."""
        deadline = time.monotonic() + timeout_s
        for pid in find(signature):
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        while find(signature):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def stands_still(pid: int) -> bool:
        """Whether the process is stopped by a signal (or is gone)."""
        told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False).stdout
        return not told.strip() or told.strip()[:1] in _STILL

    def _joined(arguments: Sequence[str]) -> bytes:
        return b" ".join(os.fsencode(argument) for argument in arguments)

    def _table() -> Iterator[tuple[int, bytes]]:
        listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, check=True)
        for line in listing.stdout.splitlines():
            pid, _, command = line.strip().partition(b" ")
            yield int(pid), command
