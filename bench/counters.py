"""What counters cost in Redis: memory per million identities and cells, and the time of a read and an apply.

``python -m bench.counters [--binary valkey] [--millions 1]`` starts a server of its own on a free port, kills it
at the end, and prints JSON on the last line. Times are medians over ROUNDS batches, in ms: ``wall`` as the
worker waits, ``python`` and ``server`` the CPU of each.
"""

import argparse
import asyncio
import itertools
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar, get_args

from redis import Redis

from dev.redis_process import RedisKind, RedisProcess
from window_counters.protocol import Change, Mark, PartitionId, Read
from window_counters.redis_store import RedisStore

HOME = PartitionId("spend.events", 0)
ROUNDS = 30
BATCHES = (500, 4000)
RULES = 20
HOURS = 25
HELD_PER_HOUR = 20_000
CHUNK = 4000
WIDTHS = {"in slots of 5,000 fields": 5000, "in slots of 20 fields": 20, "in slots of 2 fields": 2}
Figures = dict[str, object]
Batch = TypeVar("Batch")


class Bench:
    """A store on a server of its own, with the mark kept here."""

    def __init__(self, url: str) -> None:
        self.store = RedisStore(url, socket_timeout_s=30)
        self.admin = Redis.from_url(url)
        self.rng = random.Random(7)
        self._offsets = itertools.count()
        self._seen: Mark | None = None

    async def apply(self, change: Change) -> None:
        """Apply on the mark that the last apply left."""
        if not await self.store.apply(HOME, self._seen, change):
            raise RuntimeError("mark: moved by somebody else")
        self._seen = change.mark

    def mark(self) -> Mark:
        """The next mark."""
        return Mark("Zk3q_0vWTfK8g9r2-A", next(self._offsets))

    def empty(self) -> None:
        """A server without keys, and with their memory free: Valkey flushes in the background unless told."""
        self.admin.config_set("lazyfree-lazy-user-flush", "no")
        self.admin.flushall()
        self._seen = None

    def used_bytes(self) -> int:
        """What the server's data takes."""
        return int(self.admin.info("memory")["used_memory"])

    def server_ms(self) -> float:
        """CPU time of the server so far."""
        cpu = self.admin.info("cpu")
        return 1e3 * (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"]))

    def identities(self, count: int) -> list[int]:
        """Random identities."""
        return [self.rng.getrandbits(64) for _ in range(count)]


async def identity_bytes(bench: Bench, count: int) -> float:
    """Bytes of one remembered identity, of ``count`` spread over a day."""
    bench.empty()
    before = bench.used_bytes()
    for start in range(0, count, CHUNK):
        hour = 480_000 + 24 * start // count
        identities = {"acme": {hour: bench.identities(min(CHUNK, count - start))}}
        await bench.apply(Change(bench.mark(), identities=identities))
    return (bench.used_bytes() - before) / count


async def cell_bytes(bench: Bench, count: int, width: int) -> float:
    """Bytes of one cell of ``count``, in slots of ``width`` fields, their names and expiries included."""
    bench.empty()
    before = bench.used_bytes()
    fields, at_once = _fields(width), max(1, CHUNK // width)
    for start in range(0, count // width, at_once):
        names = [_slot(n) for n in range(start, min(start + at_once, count // width))]
        cells = {name: {field: bench.rng.randrange(10**8, 10**12) for field in fields} for name in names}
        expiries = {"acme": dict.fromkeys(names, 1_767_225_600_000)}
        await bench.apply(Change(bench.mark(), increments=cells, expiries=expiries))
    return (bench.used_bytes() - before) / (count // width * width)


def _slot(number: int) -> str:
    return f"acme staging-01HZX3K7Q {number % RULES} {1_767_225_600_000 + number}"


def _fields(count: int) -> list[str]:
    return [f"{'ar'[n % 2]}0 team-{n % 40:02d} employee-{n // 2:04d}" for n in range(count)]


async def call_times(bench: Bench, events: int) -> Figures:
    """Times of a batch of ``events`` calls: an identity each, and as many cells, in slots of RULES rules.

    ``cells only`` leaves the identities out: a read then looks into no hour.
    """
    bench.empty()
    for hour in range(HOURS):
        await bench.apply(Change(bench.mark(), identities={"acme": {hour: bench.identities(HELD_PER_HOUR)}}))
    cells = {_slot(n): _fields(events // RULES) for n in range(RULES)}

    def change(identities: int) -> Change:
        deltas = {slot: {name: bench.rng.randrange(10**6, 10**9) for name in names} for slot, names in cells.items()}
        filed = {"acme": {HOURS: bench.identities(identities)}}
        return Change(bench.mark(), tenants={"acme": bytes(400)}, increments=deltas, identities=filed)

    def wanted(identities: int) -> Read:
        looked_for = {"acme": (range(HOURS), bench.identities(identities))} if identities else {}
        return Read(tenants=["acme"], identities=looked_for, cells=cells, due={"acme": 0})

    async def read(one: Read) -> None:
        await bench.store.read(HOME, one)

    return {
        "apply": await _timed(bench, [change(events) for _ in range(ROUNDS)], bench.apply),
        "apply, cells only": await _timed(bench, [change(0) for _ in range(ROUNDS)], bench.apply),
        "read": await _timed(bench, [wanted(events) for _ in range(ROUNDS)], read),
        "read, cells only": await _timed(bench, [wanted(0) for _ in range(ROUNDS)], read),
    }


async def _timed(bench: Bench, batches: Sequence[Batch], call: Callable[[Batch], Awaitable[None]]) -> Figures:
    walls_ms, pythons_ms, server_ms = [], [], bench.server_ms()
    for batch in batches:
        wall, python = time.perf_counter(), time.process_time()
        await call(batch)
        walls_ms.append(1e3 * (time.perf_counter() - wall))
        pythons_ms.append(1e3 * (time.process_time() - python))
    return {
        "wall_ms": round(statistics.median(walls_ms), 2),
        "python_ms": round(statistics.median(pythons_ms), 2),
        "server_ms": round((bench.server_ms() - server_ms) / len(batches), 2),
    }


async def measure(url: str, count: int) -> Figures:
    """Every figure, from one server."""
    bench = Bench(url)
    try:
        told = bench.admin.info("server")
        return {
            "server": f"valkey {told['valkey_version']}"
            if "valkey_version" in told
            else f"redis {told['redis_version']}",
            "mb_per_million_identities": round(await identity_bytes(bench, count), 1),
            "mb_per_million_cells": {
                name: round(await cell_bytes(bench, count, width), 1) for name, width in WIDTHS.items()
            },
            "batches": {f"{events} events": await call_times(bench, events) for events in BATCHES},
        }
    finally:
        await bench.store.close()
        bench.admin.close()


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="What counters cost in Redis: memory and time.")
    parser.add_argument("--binary", choices=get_args(RedisKind), default="redis")
    parser.add_argument("--millions", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        server = RedisProcess(Path(directory), binary=options.binary)
        try:
            server.start()
            server.wait_ready()
            figures = asyncio.run(measure(server.url, round(options.millions * 1e6)))
        finally:
            server.kill()
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
