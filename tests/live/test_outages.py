"""Servers that go away for 20 s, slow by nature: workers wait, judge nothing twice, and resume by themselves.

The outages pass side by side, each in a world of its own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from redis import Redis

from dev.trial.starting import begin_again
from tests.live.conftest import MakeWorld
from tests.live.samples import POLICIES, calls
from tests.live.waiting import until
from tests.live.world import World
from tests.stack import OwnKafka, OwnRedis

OUTAGE_S = 20
TENANTS = ("acme", "globex")


@dataclass(frozen=True)
class Outage:
    """A world, and what goes away in it and comes back."""

    name: str
    world: World
    begin: Callable[[], object]
    end: Callable[[], object]
    log_is_up: bool = True


def outages(make_world: MakeWorld, own_redis: OwnRedis, own_kafka: OwnKafka) -> list[Outage]:
    frozen, stopped, broker = own_redis(), own_redis(), own_kafka()

    def stop() -> None:
        with Redis.from_url(stopped.url) as redis:
            redis.save()  # it comes back with a snapshot that is a little old
        stopped.kill()

    def start() -> None:
        stopped.start()
        stopped.wait_ready()

    return [
        Outage("Redis accepts and never answers", make_world(redis_url=frozen.url), frozen.pause, frozen.resume),
        Outage("Redis is stopped", make_world(redis_url=stopped.url), stop, start),
        Outage(
            "Kafka is stopped", make_world(bootstrap=broker.bootstrap), broker.kill, lambda: begin_again(broker), False
        ),
    ]


def test_a_server_that_is_away_for_20_s_is_waited_for(  # noqa: C901 - three outages side by side, 20 s in all
    make_world: MakeWorld, own_redis: OwnRedis, own_kafka: OwnKafka
) -> None:
    made = outages(make_world, own_redis, own_kafka)
    seeds = count()
    workers = [outage.world.worker() for outage in made]
    for outage in made:
        for tenant in TENANTS:
            for policy in POLICIES:
                outage.world.stage(tenant, policy, f"{policy.metadata.name}-1")
            outage.world.send(calls(200, next(seeds), tenant), per_message=10)
    for outage in made:
        outage.world.settle()
        outage.world.send(calls(400, next(seeds), TENANTS[0]), per_message=2)
        outage.begin()
    over = time.monotonic() + OUTAGE_S
    up = [outage for outage in made if outage.log_is_up]

    def sent_until_over() -> bool:
        for outage in up:
            outage.world.send(calls(10, next(seeds), TENANTS[1]))
        return time.monotonic() > over

    until(sent_until_over, "the end of the outage")
    for outage in made:
        outage.end()
    for outage, worker in zip(made, workers, strict=True):
        for tenant in TENANTS:
            outage.world.send(calls(100, next(seeds), tenant), per_message=10)
        outage.world.settle()
        assert worker.alive(), outage.name
        outage.world.verify()
        for tenant in TENANTS:
            outage.world.recount(tenant, "monthly-1")
