"""``python -m bench.live``: the shadow agent and the stock agents side by side, on one broker, in one run.

A run of a contestant: it starts and warms up; it is held still (SIGSTOP) while the whole load is appended to its
topic; it is let go, and counts from the first event done to the last. Runs are interleaved, round by round, and the
median stands. The last line on standard output is one JSON object; everything else goes to standard error.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from redis import Redis
from rich.console import Console

from bench import report
from bench.broker import Broker
from bench.contestants import Contestant, Field, Servers
from bench.ground import Ground, shadow_ground, stock_ground
from bench.measure import Speed, Waits, speed, waits
from bench.policies import MATCHING
from bench.processes import BenchError
from bench.workload import PACKED
from dev import stack
from dev.errors import StackError
from dev.places import home, shared_libs

PREFIX = f"bench-{int(time.time())}-"
LEAST_EVENTS, NOOP_EVENTS = 40_000, 100_000
_FAILED, _MISSING = 1, 3
_console = Console(stderr=True, width=150)


@dataclass(frozen=True, slots=True)
class Size:
    """How large the comparison is. ``events``: of a packed run; the others have their share of it."""

    events: int
    rounds: int
    staged: int
    paced_s: float


FULL = Size(events=400_000, rounds=3, staged=1000, paced_s=8)
QUICK = Size(events=160_000, rounds=1, staged=250, paced_s=3)


def contestants(size: Size) -> list[Contestant]:
    """All of them, in the order of a round.

    The agent that does nothing has a load that its queues cannot hold: only then does it show its steady rate.
    """
    single, packed, warm = size.events // 4, size.events, 20_000
    return [
        Contestant("noop", 1, max(size.events // 4, NOOP_EVENTS), 2000, stock="noop"),
        Contestant("noop_one_partition", 1, size.events // 25, 2000, stock="noop"),
        Contestant("obvious", 1, size.events // 40, 1000, stock="obvious"),
        Contestant("single", 1, single, warm),
        Contestant("packed", PACKED, packed, warm),
        Contestant("single_staged", 1, single, warm),
        Contestant("packed_staged", PACKED, packed, warm),
        Contestant("workers_1", PACKED, packed, 2 * warm),
        Contestant("workers_2", PACKED, packed, 2 * warm, workers=2),
    ]


LATENCIES = ("obvious", "single", "packed", "single_staged", "packed_staged")


class Grounds:
    """Each stock run has a ground of its own; the shadow agent's stay, for staging takes its time."""

    def __init__(self, broker: Broker, size: Size) -> None:
        self._broker = broker
        self._size = size
        self._made: dict[str, Ground] = {}
        self._fresh = 0

    def of(self, one: Contestant) -> Ground:
        """The ground of a contestant's next run."""
        if one.stock is not None:
            self._fresh += 1
            spreads = not one.name.endswith("one_partition")
            return stock_ground(self._broker, f"{PREFIX}{one.name}-{self._fresh}-", spreads=spreads)
        kind = "two" if one.name.startswith("workers") else "staged" if one.name.endswith("staged") else "ten"
        if kind not in self._made:
            policies = self._size.staged if kind == "staged" else MATCHING
            tenants = 2 if kind == "two" else 1
            self._made[kind] = shadow_ground(self._broker, f"{PREFIX}{kind}-", policies, tenants)
        return self._made[kind]


def compare(field: Field, broker: Broker, size: Size) -> dict[str, Any]:
    """Run everything; what the last line says but for versions."""
    runners, grounds = contestants(size), Grounds(broker, size)
    speeds: dict[str, list[Speed]] = {one.name: [] for one in runners}
    for number in range(size.rounds):
        for one in runners:
            run = speed(field, one, grounds.of(one))
            _say(f"round {number + 1}: {one.name} {run.per_second:,.0f} events a second, for {run.seconds:.1f} s")
            speeds[one.name].append(run)
    waited: dict[str, Waits] = {}
    for one in (one for one in runners if one.name in LATENCIES):
        half = median(run.per_second for run in speeds[one.name]) / 2
        found = waited[one.name] = waits(field, one, grounds.of(one), half, size.paced_s)
        _say(f"at {half:,.0f} a second: {one.name} p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms")
    return _result(speeds, waited, size)


def _say(line: str) -> None:
    _console.print(line, highlight=False)


def _result(speeds: dict[str, list[Speed]], waited: dict[str, Waits], size: Size) -> dict[str, Any]:
    found = report.ratios(speeds)
    return {
        "ratios": found,
        "targets_missed": report.missed(found),
        "rates": report.rates(speeds),
        "latencies": report.latencies(waited),
        "two_workers_limited_by": report.limit(speeds),
        "processors_used_by_others": report.disturbed(speeds),
        "staged_policies": size.staged,
        "rounds": size.rounds,
    }


def measure(servers: Servers, size: Size, logs: Path) -> dict[str, Any]:
    """Compare on these servers, and leave nothing there."""
    broker, redis = Broker(servers.kafka), Redis.from_url(servers.redis)
    try:
        found = compare(Field(servers, logs), broker, size)
        info = redis.info("server")
        return {**found, "versions": report.versions(broker.version(), str(info["redis_version"]))}
    finally:
        broker.close(PREFIX)
        for key in redis.scan_iter(match=f"*{PREFIX}*", count=10_000):
            redis.unlink(key)
        redis.close()


@contextmanager
def _servers(directory: Path) -> Iterator[Servers]:
    """The development stack; ended again if it did not run before."""
    ran = stack.status(directory).ready
    made = stack.up(directory, _say, libs=shared_libs())
    try:
        pids = {server.name: server.pids[0] for server in stack.status(directory).servers if server.pids}
        yield Servers(made.bootstrap, made.redis_url, pids)
    finally:
        if not ran:
            stack.down(directory, _say)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="One small round.")] = False,
    events: Annotated[int, typer.Option(min=0, help="Of a packed run; 0: by size.")] = 0,
    staged: Annotated[int, typer.Option(min=0, help="Policies where there are many; 0: by size.")] = 0,
) -> None:
    """Compare the shadow agent with stock Faust agents; the last line printed is one JSON object."""
    size = QUICK if quick else FULL
    size = replace(size, events=max(events or size.events, LEAST_EVENTS), staged=max(staged or size.staged, MATCHING))
    begun = time.monotonic()
    try:
        with _servers(home()) as servers, tempfile.TemporaryDirectory(prefix="spendgate-bench-") as logs:
            found = measure(servers, size, Path(logs))
    except (BenchError, StackError) as error:
        _say(f"bench: {error}")
        raise typer.Exit(_FAILED if isinstance(error, BenchError) else _MISSING) from None
    _console.print(report.table(found["rates"], found["latencies"]))
    _say(f"two workers: {found['two_workers_limited_by']}")
    _say(f"targets missed: {found['targets_missed'] or 'none'}; {time.monotonic() - begun:.0f} s")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    typer.run(main)
