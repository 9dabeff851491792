"""One run: servers of its own, one system under one load, one fault, and its score."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from dev.faults.arena import Arena, Servers
from dev.faults.clock import Clock
from dev.faults.disk import small_disk
from dev.faults.fault import Fault
from dev.faults.load import MEAN_USD, TENANTS, Batch, batches, policies
from dev.faults.obvious import Obvious, scored_obvious
from dev.faults.ours import Ours
from dev.faults.ours_score import scored
from dev.faults.proxy import Proxy
from dev.faults.score import Score
from dev.jars import ensure_jars
from dev.java import find_java
from dev.kafka_process import KafkaProcess
from dev.places import shared_libs
from dev.redis_process import RedisProcess, preferred_kind
from dev.report import Report, silent
from dev.trial.world import CREATE_TIME

LARGEST_BATCH = 250
STAGED_BEFORE_MS = 60_000
GIVEN_TIMES = {**CREATE_TIME, "message.timestamp.after.max.ms": str(2**63 - 1)}
"""A broker of its own would refuse records of more than an hour ahead; one whose clock has stepped does not."""


@contextmanager
def servers(folder: Path, report: Report = silent) -> Iterator[Servers]:
    """A Kafka and a Redis that nobody else uses: faults kill and freeze them."""
    java = find_java(folder / "setup.log", report)
    ensure_jars(shared_libs(), java, report)
    made = [KafkaProcess(_made(folder / "kafka"), libs=shared_libs(), java=java),
            RedisProcess(_made(folder / "redis"), binary=preferred_kind())]  # fmt: skip
    proxy = None
    try:
        for server in made:
            server.start()
        for server in made:
            server.wait_ready(90)
        kafka, redis = made
        assert isinstance(kafka, KafkaProcess)
        assert isinstance(redis, RedisProcess)
        proxy = Proxy(redis.port)
        yield Servers(kafka, redis, proxy, folder)
    finally:
        if proxy is not None:
            proxy.close()
        for server in made:
            server.kill()


class Spot:
    """Servers for one run after the other, started when they are first asked for, anew after a run that failed."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._open = ExitStack()
        self._servers: Servers | None = None

    def servers(self) -> Servers:
        """Those that are there."""
        if self._servers is None:
            folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="spendgate-faults-")))
            folder.chmod(0o755)  # PostgreSQL runs as a user of its own
            self._servers = self._open.enter_context(servers(folder, self._report))
        return self._servers

    def leave(self) -> None:
        """End them."""
        self._servers = None
        self._open.close()

    def __enter__(self) -> "Spot":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run_ours(fault: Fault, seed: int, events: int, on: Servers) -> Score:
    """Our system under a fault."""
    load = _load(fault, seed, events)
    dated = [batch.at_ms for batch in load if batch.at_ms is not None]
    staged_ms = min(dated) - STAGED_BEFORE_MS if dated else None
    folder, settings = made_anew(on), GIVEN_TIMES if fault.dated else None
    ours = Ours(on.kafka.bootstrap, on.redis.url, folder, policies(events), settings, staged_ms)
    with small_disk(folder) if fault.small_disk else nullcontext() as disk:
        if disk is not None:
            ours.world.ledger = disk.place / "ledger"
        try:
            arena = _arena(fault, ours, on, load, folder)
            arena.given_disk = disk
            ours.record()
            fault.inject(arena)
            return scored(ours, arena.recoveries, all_on_time=fault.all_on_time)
        finally:
            ours.close()


def run_obvious(fault: Fault, seed: int, events: int, on: Servers) -> Score:
    """The obvious design under the same."""
    load = _load(fault, seed, events)
    cap_usd = events / len(TENANTS) * MEAN_USD / 8
    folder, settings = made_anew(on), GIVEN_TIMES if fault.dated else None
    obvious = Obvious(on.kafka.bootstrap, on.redis.url, folder, cap_usd, settings)
    try:
        arena = _arena(fault, obvious, on, load, folder)
        fault.inject(arena)
        return scored_obvious(obvious, arena.recoveries)
    finally:
        obvious.close()


def _load(fault: Fault, seed: int, events: int) -> list[Batch]:
    return batches(events, seed, fault.span(seed), max(1, min(LARGEST_BATCH, events // 400)))


def made_anew(on: Servers) -> Path:
    """A new folder of the run."""
    made = Path(tempfile.mkdtemp(dir=on.folder))
    made.chmod(0o755)
    return made


def _arena(fault: Fault, system: Ours | Obvious, on: Servers, load: list[Batch], folder: Path) -> Arena:
    """The arena: workers reach Redis by the proxy, and see the clock, where the fault needs it."""
    arena = Arena(system, on, load)
    system.environment = {"SPENDGATE_REDIS": on.slow_url} if fault.slow_line else {}
    if fault.clocked:
        arena.given_clock = Clock(folder)
        system.environment |= arena.clock.environment
    return arena
