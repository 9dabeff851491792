"""Where a fault meets a system under load: servers of its own, and a load that is sent part by part."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from redis import Redis

from dev.faults.clock import Clock
from dev.faults.disk import Disk
from dev.faults.load import Batch
from dev.faults.proxy import Proxy
from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess
from dev.trial.waiting import until
from dev.trial.workers import Worker

RECOVERED_WITHIN_S = 240.0


class System(Protocol):
    """What is under test: workers that a supervisor starts again whenever they end, on a log of their own."""

    steps: Sequence[str]
    """Where a worker can be killed."""
    workers: list[Worker]
    restarts: int

    def start(self, instance: str = "one", **environment: str) -> Worker:
        """Start a worker; it is supervised unless a fault is armed in it."""

    def send(self, batch: Batch, *, wait: bool) -> None:
        """Append a batch to the log."""

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged."""

    def ends(self) -> dict[int, int]:
        """By partition, the offset after the last record."""

    def applied(self) -> dict[int, int]:
        """By partition, the offset after the last record that was applied."""

    def supervise(self) -> None:
        """Start again what has ended."""

    def dismiss(self, instance: str) -> None:
        """Supervise a worker no longer."""

    def wait_for_history(self) -> None:
        """Wait until what was sent is in the durable history, if the system has one."""

    def forget(self) -> None:
        """Let all records of the log pass their retention."""


@dataclass
class Servers:
    """A Kafka and a Redis of this run. ``proxy`` stands before Redis, for those who are to find it slow."""

    kafka: KafkaProcess
    redis: RedisProcess
    proxy: Proxy
    folder: Path

    @property
    def slow_url(self) -> str:
        """Redis behind the proxy."""
        return f"redis://127.0.0.1:{self.proxy.port}/0"


@dataclass
class Arena:
    """One system under one load. ``gone``: records that the log had once. ``recoveries``: seconds."""

    system: System
    servers: Servers
    batches: Sequence[Batch]
    sent: int = 0
    recoveries: list[float] = field(default_factory=list)
    given_clock: Clock | None = None
    given_disk: Disk | None = None
    before_send: Callable[[Batch], Batch] = lambda batch: batch

    @property
    def clock(self) -> Clock:
        """The clock that workers see."""
        assert self.given_clock is not None
        return self.given_clock

    @property
    def disk(self) -> Disk:
        """The disk of the ledger."""
        assert self.given_disk is not None
        return self.given_disk

    def send(self, share: float = 1.0, *, wait: bool = False) -> None:
        """Send a part of the load, or what is left of it."""
        upto = min(len(self.batches), self.sent + max(1, round(share * len(self.batches))))
        for batch in self.batches[self.sent : upto]:
            self.system.send(self.before_send(batch), wait=False)
        self.sent = upto
        if wait:
            self.system.flush()

    def settle(self) -> None:
        """Wait until all that was sent is applied."""
        self.system.flush()
        ends = self.system.ends()
        self._wait(ends)

    def recover(self, *, history: bool = False) -> None:
        """The fault has ended: measure until all that was sent before is applied, and in the history where asked."""
        begun = time.monotonic()
        self.system.flush()
        self._wait(self.system.ends())
        if history:
            self.system.wait_for_history()
        self.recoveries.append(time.monotonic() - begun)

    def _wait(self, ends: dict[int, int]) -> None:
        until(lambda: self._reached(ends), "every record applied", RECOVERED_WITHIN_S, self._state)

    def _reached(self, ends: dict[int, int]) -> bool:
        self.system.supervise()
        applied = self.system.applied()
        return all(applied.get(partition, 0) >= end for partition, end in ends.items())

    def _state(self) -> str:
        logs = "\n".join(worker.log()[-1500:] for worker in self.system.workers[-2:])
        return f"{self.system.applied()} of {self.system.ends()}\n{logs}"

    def sleep(self, seconds: float) -> None:
        """Let a fault last, while what has ended is started again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.system.supervise()
            time.sleep(0.1)

    def client(self) -> "Redis":
        """Redis itself, beside the proxy."""
        return Redis.from_url(self.servers.redis.url, socket_timeout=10)
