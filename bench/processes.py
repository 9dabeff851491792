"""The processes under test: started with a log of their own, held still while the log is filled, and ended."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_POLL_S = 0.1
_MARK = re.compile(r'{"count": [^}]*}')
_STOP_WITHIN_S = 20.0


class BenchError(Exception):
    """The measurement cannot go on. One line."""


class Process:
    """One process and its log."""

    def __init__(
        self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path, program: str = sys.executable
    ) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as out:
            self._child = subprocess.Popen(
                [program, *command], env={**os.environ, **env}, stdout=out, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def lines(self) -> list[str]:
        """Its log so far."""
        return self.log.read_text(errors="replace").splitlines()

    def marks(self) -> dict[int, float]:
        """What a peer said of its count of events: count to the time (s since the epoch)."""
        found = [json.loads(mark) for mark in _MARK.findall("\n".join(self.lines()))]
        return {entry["count"]: entry["time_s"] for entry in found}

    def require_alive(self) -> None:
        """Raise BenchError if it has ended."""
        if self._child.poll() is not None:
            last = next(iter(self.lines()[::-1]), "nothing")
            raise BenchError(f"{self.name} ended with {self._child.returncode}; its last line: {last[:300]}")

    def hold(self) -> None:
        """Stop its clock, so to speak: it does nothing until it is released."""
        self._child.send_signal(signal.SIGSTOP)

    def release(self) -> None:
        """Let it go on."""
        self._child.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it, gently first."""
        self._child.send_signal(signal.SIGCONT)
        self._child.terminate()
        try:
            self._child.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


def wait_for(what: str, is_done: Callable[[], bool], processes: Sequence[Process], within_s: float) -> None:
    """Wait for something that the processes bring about; BenchError if one of them ends, or it takes too long."""
    deadline = time.monotonic() + within_s
    while not is_done():
        for process in processes:
            process.require_alive()
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {within_s:.0f} s")
        time.sleep(_POLL_S)


def stagings_in_force(worker: Process) -> int:
    """How many of them a worker said it obeys."""
    found = [line for line in worker.lines() if " in force" in line]
    return int(found[-1].split(", ")[-1].split()[0]) if found else 0
