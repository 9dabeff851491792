"""Dollars over a cap: a crowd asks a real door while a fault is on, and what it spent is held against the caps.

Under a closed policy nothing may be admitted over its cap, under an open one what was recorded as let through. While
the flag cannot be read nothing is enforced, closed or open, and that is recorded, too.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from redis import Redis

from dev.faults.arena import Servers
from dev.faults.clock import Clock
from dev.faults.crowd import Crowd
from dev.faults.guarded import CAP_NANO_USD, TEAMS, Guarded
from dev.faults.score import Overshoot
from dev.postgres_process import PostgresProcess, postgres_programs
from dev.report import silent
from dev.trial.starting import begin_again
from dev.trial.waiting import until

CALLERS = 4
BEFORE_S, DURING_S, HOLDS_WITHIN_S = 3.0, 8.0, 300.0


@dataclass
class Bench:
    """What a fault is done to."""

    guarded: Guarded
    on: Servers
    sql: PostgresProcess | None = None
    clock: Clock | None = None
    kept: dict[bytes, bytes] = field(default_factory=dict)

    def redis(self) -> "Redis":
        """Redis itself, beside the proxy."""
        return Redis.from_url(self.on.redis.url, socket_timeout=10)


class Act(NamedTuple):
    """``before`` the crowd comes, at the fault's begin and at its end."""

    begin: Callable[[Bench], object]
    end: Callable[[Bench], object] = lambda bench: None
    before: Callable[[Bench], object] = lambda bench: None
    needs_sql: bool = False
    needs_clock: bool = False
    slow_line: bool = False


def _kill(bench: Bench) -> None:
    for role in ("worker", "enforcement"):
        bench.guarded.kill(role)


def _back(bench: Bench) -> None:
    for role in ("worker", "enforcement"):
        bench.guarded.start(role)


def _flush(bench: Bench) -> None:
    with bench.redis() as redis:
        redis.flushall()


def _stop_redis(bench: Bench) -> None:
    with bench.redis() as redis:
        redis.save()
    time.sleep(1)
    bench.on.redis.kill()


def _start_redis(bench: Bench) -> None:
    bench.on.redis.start()
    bench.on.redis.wait_ready(60)


def _keep(bench: Bench) -> None:
    with bench.redis() as redis:
        bench.kept = {key: value for key in redis.scan_iter(count=10_000) if (value := redis.dump(key)) is not None}


def _set_back(bench: Bench) -> None:
    with bench.redis() as redis, redis.pipeline(transaction=True) as together:
        together.flushall()
        for key, value in bench.kept.items():
            together.restore(key, 0, value)
        together.execute()


def _limit(bench: Bench, limit: int) -> None:
    with bench.redis() as redis:
        redis.config_set("maxmemory", limit)


def _delay(bench: Bench, delay_s: float) -> None:
    bench.on.proxy.delay_s = delay_s


def _join(bench: Bench) -> None:
    for role in ("worker", "enforcement"):
        bench.guarded.start(role, "two")


def _leave(bench: Bench) -> None:
    for role in ("worker", "enforcement"):
        bench.guarded.kill(role, "two")


def _sql(bench: Bench) -> PostgresProcess:
    assert bench.sql is not None
    return bench.sql


def _start_sql(bench: Bench) -> None:
    _sql(bench).start()
    _sql(bench).wait_ready(60)


def _step(bench: Bench, offset_s: float) -> None:
    assert bench.clock is not None
    bench.clock.step(offset_s)


ACTS: Mapping[str, Act] = {
    "kill_worker": Act(_kill, _back),
    "redis_flush": Act(_flush),
    "redis_restart": Act(_stop_redis, _start_redis),
    "redis_stall": Act(lambda bench: bench.on.redis.pause(), lambda bench: bench.on.redis.resume()),
    "redis_slow": Act(lambda bench: _delay(bench, 0.05), lambda bench: _delay(bench, 0.0), slow_line=True),
    "redis_old_snapshot": Act(_set_back, before=_keep),
    "redis_out_of_memory": Act(lambda bench: _limit(bench, 1_000_000), lambda bench: _limit(bench, 0)),
    "kafka_stop": Act(lambda bench: bench.on.kafka.kill(), lambda bench: begin_again(bench.on.kafka)),
    "kafka_rebalance": Act(_join, _leave),
    "sql_away": Act(lambda bench: _sql(bench).kill(), _start_sql, needs_sql=True),
    "clock_step": Act(lambda bench: _step(bench, 3600), lambda bench: _step(bench, 0), needs_clock=True),
}
"""What is done to the enforcing system under the faults that can reach it, by their names."""


def overshoot(act: Act, seed: int, on: Servers, folder: Path) -> Overshoot:
    """Enforce two caps, send a crowd, do the fault; what was spent over the caps."""
    with _bench(act, on, folder) as bench:
        guarded = bench.guarded
        guarded.begin()
        act.before(bench)
        crowd = Crowd(guarded.url, guarded.key, list(TEAMS.values()), CALLERS, seed)
        crowd.start()
        _lasts(guarded, BEFORE_S)
        act.begin(bench)
        _lasts(guarded, DURING_S)
        act.end(bench)
        ended_s = time.monotonic()
        until(guarded.holds, "both caps to hold again", HOLDS_WITHIN_S, guarded.logs)
        held_s = time.monotonic() - ended_s
        _lasts(guarded, BEFORE_S)
        crowd.stop()
        return _held_against(guarded, crowd, held_s)


def _lasts(guarded: Guarded, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        guarded.supervise()
        time.sleep(0.1)


def _held_against(guarded: Guarded, crowd: Crowd, held_s: float) -> Overshoot:
    let_through = {mode: guarded.let_through_nano_usd(mode) for mode in TEAMS}
    over = {mode: max(0, crowd.spent[team] - CAP_NANO_USD) for mode, team in TEAMS.items()}
    return Overshoot(
        checks=crowd.asked, calls=crowd.made,
        nano_usd=sum(max(0, over[mode] - let_through[mode]) for mode in TEAMS),
        let_through_nano_usd=let_through["open"], flag_off_nano_usd=let_through["closed"],
        enforced_again_s=round(held_s, 1),
    )  # fmt: skip


@contextmanager
def _bench(act: Act, on: Servers, folder: Path) -> Iterator[Bench]:
    clock = Clock(folder) if act.needs_clock else None
    redis_url = on.slow_url if act.slow_line else on.redis.url
    sql = None
    guarded = None
    try:
        if act.needs_sql:
            (folder / "sql").mkdir()
            sql = PostgresProcess(folder / "sql", postgres_programs(folder / "sql-setup.log", silent))
            sql.start()
            sql.wait_ready(60)
        guarded = Guarded(on, redis_url, folder, sql.url() if sql else None, clock.environment if clock else {})
        yield Bench(guarded, on, sql, clock)
    finally:
        if guarded is not None:
            guarded.close()
        if sql is not None:
            sql.kill()
