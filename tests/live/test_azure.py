"""Both Azure traces through the broker, with a death, a loss, an edit and repeats on the way.

Owners, models and prices are those of the reader's seeded rule; the trace has none. Record times are the calls' own.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from redis import Redis

from dev.trial.workers import KILLED
from spendgate.ledger.readers import ReadOptions, read_events
from spendgate.model.event import Event
from tests.live.conftest import MakeWorld
from tests.live.samples import budget, ms, policy
from tests.live.waiting import until
from tests.live.world import CREATE_TIME, World
from tests.stack import OwnRedis

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CALLS = {"code": 8_819, "conv": 19_366}
SEED = 1
MONTHLY = policy("monthly", budget("8", {"calendar": "month"}, ["team"], warn_at_percent=[50, 80]))
EDITED = policy("monthly", budget("9", {"calendar": "month"}, ["team"], warn_at_percent=[50, 80]))
HOURLY = policy(
    "hourly",
    budget("0.5", {"rolling": "15m"}, ["employee"], "review"),
    {"boundary": {"max_input_tokens": 4000, "on_breach": "deny"}},
)
SHARED = policy("shared", budget("60", {"lifetime": True}, on_breach="warn"))

in_ci = pytest.mark.skipif(bool(os.environ.get("CI")), reason="the traces are not used in CI")
without = pytest.mark.skipif(
    not all((DATA / f"azure_llm_2023_{name}.csv").exists() for name in CALLS),
    reason="../shared/data holds no Azure traces",
)


def trace(tenant: str) -> Iterator[Event]:
    """The calls of one trace, each trace a tenant."""
    return read_events(DATA / f"azure_llm_2023_{tenant}.csv", ReadOptions(tenant=tenant, seed=SEED))


def send(world: World, traces: dict[str, Iterator[Event]], messages: int) -> list[Event]:
    """So many messages of 250 calls from each trace in turn; returns what was sent."""
    sent: list[Event] = []
    for _ in range(messages):
        for events in traces.values():
            some = list(islice(events, 250))
            if some:
                world.send(some, per_message=250, at_ms=ms(some[-1].time) + 1, wait=False)
                sent += some
    return sent


@in_ci
@without
def test_the_azure_traces_are_judged_call_by_call(make_world: MakeWorld, own_redis: OwnRedis) -> None:
    world = make_world(redis_url=own_redis().url, settings=CREATE_TIME)
    traces = {tenant: trace(tenant) for tenant in CALLS}
    first = {tenant: next(trace(tenant)).time for tenant in CALLS}
    for tenant, at in first.items():
        for staged in (MONTHLY, HOURLY, SHARED):
            world.stage(tenant, staged, f"{staged.metadata.name}-1", at_ms=ms(at))
    sent = send(world, traces, 8)
    assert world.worker(SPENDGATE_FAULT="published:2").ended() == KILLED
    world.worker()
    sent += send(world, traces, 8)
    with Redis.from_url(world.redis_url) as redis:
        left = world.marks()
        until(lambda: world.marks() != left, "the next worker at work")
        redis.flushall()
    for tenant in CALLS:
        world.stage(tenant, EDITED, "monthly-2", ends=["monthly-1"], at_ms=ms(sent[-1].time))
    send(world, {tenant: (e for e in sent if e.tenant == tenant) for tenant in CALLS}, 8)  # all of it again
    send(world, traces, 80)
    world.settle()
    owed = world.verify()
    assert len(owed.decisions) == sum(CALLS.values())
    assert owed.duplicates == 2 * 8 * 250
    assert owed.verdicts() >= {"approve", "review", "deny"}
    for tenant in CALLS:
        world.recount(tenant, "monthly-2")
        world.recount(tenant, "shared-1")
