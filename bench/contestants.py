"""Who takes part: the stock agents and the shadow agent, each as processes on a ground of its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.ground import Ground
from bench.processes import Process, wait_for

_START_WITHIN_S = 60.0
_STAGE_WITHIN_S = 300.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Where Kafka and Redis are, with the process ids of those that run on this machine."""

    kafka: str
    redis: str
    pids: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contestant:
    """One line of the comparison: ``stock`` names an agent of ``bench.peers``, else it is the shadow agent.

    ``packed``: events in a message. ``events``: how many a run has; ``warm``: how many are done before it is measured.
    """

    name: str
    packed: int
    events: int
    warm: int
    workers: int = 1
    stock: str | None = None


class Field:
    """Starts contestants and knows how far they are."""

    def __init__(self, servers: Servers, logs: Path) -> None:
        self.servers = servers
        self._logs = logs
        self._starts = 0

    @contextmanager
    def running(self, one: Contestant, ground: Ground, marks: tuple[int, ...]) -> Iterator[list[Process]]:
        """The contestant's processes, ended on leaving."""
        processes = [self._start(one, ground, marks, number) for number in range(one.workers)]
        try:
            yield processes
        finally:
            for process in processes:
                process.end()

    def _start(self, one: Contestant, ground: Ground, marks: tuple[int, ...], number: int) -> Process:
        self._starts += 1
        log = self._logs / f"{self._starts:03d}-{one.name}-{number + 1}.log"
        env = {
            "SPENDGATE_KAFKA": self.servers.kafka,
            "SPENDGATE_DEV": "1",
            "SPENDGATE_REDIS": self.servers.redis,
            "SPENDGATE_GROUP": ground.group,
            "SPENDGATE_TOPIC_PREFIX": ground.prefix,
            "SPENDGATE_REPLICATION": "1",
            "SPENDGATE_HTTP_PORT": "0",
            "BENCH_GROUP": ground.group,
            "BENCH_EVENTS": ground.topics.events.name,
            "BENCH_DECISIONS": ground.topics.decisions.name,
            "BENCH_MARKS": ",".join(map(str, marks)),
        }
        if one.stock is None:
            return Process(one.name, ["-m", "agents.app", "worker"], env, log)
        worker = ["worker", "--loglevel", "info", "--without-web"]
        return Process(one.name, ["-m", "faust", "-A", f"bench.peers:{one.stock}", "-L", "uvloop", *worker], env, log)

    def wait(self, one: Contestant, ground: Ground, processes: list[Process], count: int) -> None:
        """Wait until everything that is in the log has been done, ``count`` events of it since the start."""
        if one.stock is not None:
            wait_for(one.name, lambda: count in processes[0].marks(), processes, _START_WITHIN_S)
            return
        topic = ground.topics.events.name
        ends = ground.broker.ends(topic, ground.workloads)
        wait_for(
            one.name,
            lambda: _reached(ground.broker.committed(ground.group), topic, ends),
            processes,
            _STAGE_WITHIN_S,
        )


def _reached(committed: Mapping[tuple[str, int], int], topic: str, ends: Mapping[int, int]) -> bool:
    return all(committed.get((topic, partition), 0) >= end for partition, end in ends.items())
