"""A server process that can be started, asked, frozen, killed and started again on the same port."""

import atexit
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from dev import processes
from dev.commands import failed, since
from dev.errors import StackError
from dev.interrupts import unbroken
from dev.ports import port_taken, require_free

_POLL_S = 0.05
_KILL_S = 10.0
_FREEZE_S = 10.0
_LOG_BYTES = 16 * 1024 * 1024
_children: list[subprocess.Popen[bytes]] = []
"""What this process started, kept so that the dead are reaped whichever object ended them."""


@atexit.register
def _leave_running() -> None:
    """A server may outlive the process that has started it, and Python need not warn of it."""
    for child in _children:
        if child.returncode is None:
            child.returncode = 0


class ServerProcess(ABC):
    """One server with its configuration, data and log in a directory of its own.

    Two objects with the same directory mean the same process, also from different Python processes.
    """

    name: ClassVar[str]
    user: str | None = None
    """Whom it runs as; None for whoever starts it."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory.resolve()
        self.port = port
        self.log = self.directory / f"{self.name}.log"
        self._log_start = 0

    @property
    @abstractmethod
    def signature(self) -> Sequence[str]:
        """Arguments, in a row, that only this server's process has."""

    @property
    def ports(self) -> Sequence[int]:
        """Every port that it listens on."""
        return (self.port,)

    @abstractmethod
    def answers(self) -> bool:
        """Whether this very server, and no other on its port, answers now."""

    @abstractmethod
    def _prepare(self) -> None:
        """Write what the process needs on disk before it starts."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The whole command line, in which ``signature`` is found."""

    @property
    def pids(self) -> list[int]:
        """The process ids of this server, frozen or not; empty when it is dead."""
        _reap()
        return processes.find(self.signature)

    @property
    def alive(self) -> bool:
        """Whether the process exists, frozen or not."""
        return bool(self.pids)

    def start(self) -> None:
        """Start it, where it does not run, on the data that it left; return before it answers.

        Raises:
            PortTakenError: another program has one of its ports.
            StackError: a program or jar that it needs is missing.
            OSError: its directory cannot be written.
        """
        if self.alive:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        for port in self.ports:
            require_free(port, self.name)
        self._prepare()
        self._spawn()

    def wait_ready(self, timeout_s: float = 60) -> None:
        """Return once it answers.

        Raises:
            PortTakenError: another program took a port of its meanwhile.
            StackError: it ended, or did not answer in time; the message names its log.
        """
        deadline = time.monotonic() + timeout_s
        while not self.answers():
            if not self.alive:
                raise self._failure()
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} did not answer within {timeout_s:g} s (its log: {self.log})")
            time.sleep(_POLL_S)

    def stop(self, timeout_s: float = 20) -> None:
        """SIGTERM, also to a frozen process; SIGKILL for what is still there after ``timeout_s``."""
        gone = processes.end(self.signature, (signal.SIGTERM, signal.SIGCONT), timeout_s)
        _reap()
        if not gone:
            self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would be; return when the process is gone and its ports are free."""
        gone = processes.end(self.signature, (signal.SIGKILL,), _KILL_S)
        _reap()
        if not gone:
            raise StackError(f"{self.name} cannot be ended: process {self.pids} survives a SIGKILL")

    def pause(self) -> None:
        """SIGSTOP; return when its last thread stands still. Its sockets stay open and answer nothing."""
        processes.send(self.signature, signal.SIGSTOP)
        deadline = time.monotonic() + _FREEZE_S
        while not all(processes.stands_still(pid) for pid in self.pids):
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} did not stand still within {_FREEZE_S:g} s of a SIGSTOP")
            time.sleep(_POLL_S / 10)

    def resume(self) -> None:
        """SIGCONT."""
        processes.send(self.signature, signal.SIGCONT)

    def _spawn(self) -> None:
        """In a session of its own, so that Ctrl-C in the terminal does not reach it."""
        self._rotate_log()
        with self.log.open("ab") as output, unbroken():
            self._log_start = output.tell()
            child = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={key: value for key, value in os.environ.items() if key not in _DISTURBING},
                start_new_session=True,
                user=self.user,
            )
            _children.append(child)
            # The arguments of a process appear a moment after its start; from here on it can be found.
            while child.poll() is None and child.pid not in processes.find(self.signature):
                time.sleep(_POLL_S / 10)

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _failure(self) -> StackError:
        if "Address already in use" in since(self.log, self._log_start):
            return port_taken(self.port, self.name)
        return failed(self.name, self.log, self._log_start)


_DISTURBING = frozenset({"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH"})
"""Variables that change how a JVM starts, or make it write to its log first."""


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]
