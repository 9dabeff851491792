"""Redis loses what it held: the log gives it back, and nothing is published twice over with another content."""

from itertools import cycle

from redis import Redis

from tests.live.conftest import MakeWorld
from tests.live.samples import POLICIES, calls
from tests.live.waiting import until
from tests.live.world import World
from tests.stack import OwnRedis

TENANTS = ("acme", "globex", "initech")


def staged(world: World) -> None:
    for tenant in TENANTS:
        for policy in POLICIES:
            world.stage(tenant, policy, f"{policy.metadata.name}-1")


def flow(world: World, seed: int, count: int = 200) -> None:
    """A message of every tenant in turn."""
    each = [calls(count, seed, tenant) for tenant in TENANTS]
    for start in range(0, count, 20):
        for events in each:
            world.send(events[start : start + 20], wait=False)


def snapshot(redis: "Redis") -> dict[bytes, bytes]:
    """All keys as they stand."""
    return {key: kept for key in redis.scan_iter(count=10_000) if (kept := redis.dump(key)) is not None}


def restore(redis: "Redis", keys: dict[bytes, bytes]) -> None:
    """Put an old snapshot in the place of what there is, in one transaction."""
    with redis.pipeline(transaction=True) as together:
        together.flushall()
        for key, content in keys.items():
            together.restore(key, 0, content)
        together.execute()


def test_a_flush_in_mid_stream_is_mended_from_the_log(make_world: MakeWorld, own_redis: OwnRedis) -> None:
    world = make_world(redis_url=own_redis().url)
    staged(world)
    world.worker()
    flow(world, 1)
    world.settle()
    with Redis.from_url(world.redis_url) as redis:
        redis.flushall()
        until(world.applied, "an idle worker notices the loss")
        world.verify()
        for seed in (2, 3, 4):
            flow(world, seed)
            redis.flushall()
            redis.script_flush()
    world.settle()
    assert world.verify().verdicts() == {"approve", "warn", "review", "deny"}
    for tenant in TENANTS:
        world.recount(tenant, "monthly-1")


def test_an_old_snapshot_is_brought_up_to_date_for_quiet_tenants_too(
    make_world: MakeWorld, own_redis: OwnRedis
) -> None:
    world = make_world(redis_url=own_redis().url)
    staged(world)
    worker = world.worker()
    flow(world, 1)
    world.settle()
    with Redis.from_url(world.redis_url) as redis:
        old = snapshot(redis)
        flow(world, 2)
        world.end("initech", "monthly-1")
        world.stage("acme", POLICIES[0], "monthly-2", ends=["monthly-1"])
        world.settle()
        restore(redis, old)
        world.send(calls(100, 3, "acme"))  # the others are quiet since
        world.settle()
        world.verify()
        worker.terminate()
        restore(redis, old)
    world.worker()
    world.send(calls(100, 4, "acme"))
    world.settle()
    world.verify()
    world.recount("acme", "monthly-2")


def test_a_counter_lost_between_two_batches_is_never_judged_on(make_world: MakeWorld, own_redis: OwnRedis) -> None:
    """Flushes race with batches: whatever the moment, the mark tells."""
    world = make_world(redis_url=own_redis().url)
    staged(world)
    world.worker()
    with Redis.from_url(world.redis_url) as redis:
        for number, tenant in zip(range(24), cycle(TENANTS)):
            world.send(calls(20, number, tenant), wait=False)
            if number % 3 == 2:
                redis.flushall()
    world.settle()
    world.verify()
