"""Workers as processes of their own, as an operator runs them."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.trial.waiting import until

ROOT = Path(__file__).resolve().parents[2]
KILLED = -signal.SIGKILL


@dataclass(frozen=True)
class Worker:
    """One process of ``agents.app`` and what it has logged."""

    process: "subprocess.Popen[bytes]"
    output: Path

    @classmethod
    def start(
        cls, output: Path, environment: Mapping[str, str], role: str = "worker", module: str = "agents.app"
    ) -> "Worker":
        with output.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", module, role],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        return cls(process, output)

    def log(self) -> str:
        """All that it has logged so far."""
        return self.output.read_text()

    def owned(self) -> frozenset[int]:
        """The partitions that it was last assigned."""
        last = [line.rpartition("assigned: ")[2] for line in self.log().splitlines() if "assigned: " in line]
        return frozenset(map(int, last[-1].split(","))) if last and last[-1] != "nothing" else frozenset()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def ended(self) -> int:
        """Wait for its end; returns the exit code."""
        until(lambda: not self.alive(), "the end of the worker")
        return int(self.process.returncode)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it holds what it has and does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """SIGTERM; returns when it is gone."""
        self.process.terminate()
        self.ended()
