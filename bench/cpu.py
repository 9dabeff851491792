"""Who used the processors: /proc, sampled while a measurement runs. On a system without /proc it says nothing."""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

_EVERY_S = 0.1
_MACHINE = "machine"


def _ticks(pid: int) -> int | None:
    """User and system time of a process and its threads."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[11]) + int(fields[12])


def _machine_ticks() -> int | None:
    """Time in which some processor of the machine was not idle."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return user + nice + system + irq + softirq + steal


class Sampler:
    """Samples processes from a thread while it is entered; ``pids`` by name."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._samples: list[tuple[float, dict[str, int]]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            found = {name: _ticks(pid) for name, pid in self._pids.items()} | {_MACHINE: _machine_ticks()}
            self._samples.append((
                time.time(), {name: value for name, value in found.items() if value is not None}
            ))  # fmt: skip

    def cores(self, from_s: float, to_s: float) -> dict[str, float]:
        """Processors used, by name, in the time between (s since the epoch); ``other``: by anybody else."""
        inside = [sample for sample in self._samples if from_s <= sample[0] <= to_s]
        if len(inside) < 2:
            return {}
        (begun_s, before), (ended_s, after) = inside[0], inside[-1]
        per_core = os.sysconf("SC_CLK_TCK") * (ended_s - begun_s)
        used = {name: (after[name] - before[name]) / per_core for name in before if name in after}
        if _MACHINE in used:
            used["other"] = max(0.0, used[_MACHINE] - sum(v for name, v in used.items() if name != _MACHINE))
        return {name: round(value, 2) for name, value in used.items()}
