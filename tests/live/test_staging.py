"""A policy is staged, edited, reverted and ended while events flow, and workers die at each step of it."""

from datetime import UTC, datetime, timedelta

from redis import Redis

from dev.trial.workers import KILLED
from spendgate.model.event import Event
from tests.live.conftest import MakeWorld
from tests.live.samples import EDITED, LIFETIME, MONTHLY, POLICIES, ROLLING, call, calls, ms
from tests.live.waiting import until
from tests.live.world import CREATE_TIME, World, activation
from tests.stack import OwnRedis

NOW = datetime.now(UTC)


def correction(of: Event, cost_nano_usd: int) -> Event:
    """What says that ``of`` should have had another cost."""
    return Event(
        id=f"correction-{of.id}",
        source=of.source,
        tenant=of.tenant,
        time=of.time,
        kind="correction",
        refers_to=of.id,
        cost_nano_usd=cost_nano_usd,
    )


def test_a_policy_is_staged_edited_reverted_and_ended_while_events_flow(world: World) -> None:
    world.worker()
    flow = [calls(60, seed, "acme") for seed in range(6)]
    world.send(flow[0], per_message=10)
    world.stage("acme", MONTHLY, "monthly-1")
    world.send(flow[1], per_message=10)
    world.send([correction(next(e for e in flow[1] if e.kind == "call" and e.cost_nano_usd), 7_000_000)])
    world.stage("acme", EDITED, "monthly-2", ends=["monthly-1"])
    world.send(flow[2], per_message=10)
    world.stage("acme", MONTHLY, "monthly-3", ends=["monthly-2"])
    world.stage("acme", LIFETIME, "lifetime-1")
    world.send(flow[3], per_message=10)
    world.stage("acme", MONTHLY, "monthly-3")  # a repeat is void
    again = activation("acme", "end", staging="monthly-3")
    world.activate(again)
    world.activate(again)
    world.stage("acme", MONTHLY, "monthly-3")  # and so is what comes after the end
    world.send(flow[4], per_message=10)
    world.end("acme", "lifetime-1")
    world.send(flow[5], per_message=10)
    world.settle()
    owed = world.verify()
    assert len({decision.judged.set for decision in owed.decisions.values()}) == 5


def test_a_worker_killed_at_any_step_of_a_staging_changes_no_decision(
    make_world: MakeWorld, own_redis: OwnRedis
) -> None:
    world = make_world(redis_url=own_redis().url)
    flow = iter([calls(60, seed, "acme") for seed in range(20)])
    world.send(next(flow), per_message=10)
    world.stage("acme", MONTHLY, "monthly-1")
    world.stage("acme", ROLLING, "rolling-1")
    world.send(next(flow), per_message=10)
    for fault in ("seeding", "seeded", "activated", "activated", "decoded", "decided"):
        worker = world.worker(SPENDGATE_FAULT=fault)
        assert worker.ended() == KILLED, fault
    world.stage("acme", EDITED, "monthly-2", ends=["monthly-1"])
    world.send(next(flow), per_message=10)
    for fault in ("seeded", "activated"):
        assert world.worker(SPENDGATE_FAULT=fault).ended() == KILLED, fault
        with Redis.from_url(world.redis_url) as redis:
            redis.flushall()
    world.stage("acme", MONTHLY, "monthly-3", ends=["monthly-2"])
    world.send(next(flow), per_message=10)
    world.worker()
    world.settle()
    world.verify()
    world.recount("acme", "monthly-3")


def test_a_flush_while_a_staging_begins_is_mended(make_world: MakeWorld, own_redis: OwnRedis) -> None:
    world = make_world(redis_url=own_redis().url)
    worker = world.worker()
    for seed, staged in enumerate((*POLICIES, *POLICIES)):
        world.send(calls(60, seed, "acme"), per_message=20)
        world.stage("acme", staged, f"{staged.metadata.name}-{seed}")
    world.send(calls(60, 99, "acme"), per_message=20)
    with Redis.from_url(world.redis_url) as redis:
        for _ in range(12):
            until(world.marks, "a first step of the rebuild")
            redis.flushall()
    world.settle()
    assert worker.alive()
    world.verify()
    world.recount("acme", "monthly-3")


def test_a_staging_of_a_tenant_that_was_silent_for_longer_than_any_window(make_world: MakeWorld) -> None:
    world = make_world(settings=CREATE_TIME)
    old = NOW - timedelta(days=400)
    world.worker()
    world.send([call("acme", n, old + timedelta(minutes=n)) for n in range(100)], at_ms=ms(old) + 6_000_000)
    world.settle()
    for staged in POLICIES:
        world.stage("acme", staged, f"{staged.metadata.name}-1", at_ms=ms(NOW))
    world.send(calls(200, 1, "acme"), at_ms=ms(NOW))
    world.settle()
    owed = world.verify()
    assert len(owed.decisions) > 100
    world.recount("acme", "lifetime-1")


def test_a_staging_whose_document_comes_late_is_waited_for(world: World) -> None:
    world.send(calls(60, 1, "acme"))
    world.stage("acme", MONTHLY, "monthly-1", withheld=True)
    world.send(calls(60, 2, "acme"))
    worker = world.worker()
    until(lambda: "policies away" in worker.log(), "a word about the missing document")
    world.publish(MONTHLY)
    world.settle()
    world.verify()
    world.recount("acme", "monthly-1")
