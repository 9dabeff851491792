"""Redis is proven against the log beside a worker that goes on; what was altered is told, and a rebuild mends it."""

import json
from typing import Any

import pytest
from redis import Redis
from typer.testing import CliRunner

from spendgate.cli.main import app
from tests.live.conftest import MakeWorld
from tests.live.samples import POLICIES, calls
from tests.live.test_ledger import checkpoints
from tests.live.waiting import until
from tests.live.world import World
from tests.stack import OwnRedis
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

TENANTS = ("acme", "globex", "initech")
FOUND, REFUSED = 1, 4


def counters(world: World, command: str, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON result and stderr of ``spendgate counters``."""
    servers = ["--bootstrap", world.broker.bootstrap, "--redis", world.redis_url, "--json"]
    run = CliRunner().invoke(app, ["counters", command, *servers, *arguments], env=world.environment())
    return run.exit_code, json.loads(run.stdout) if run.stdout else {}, run.stderr


def staged(world: World) -> None:
    for tenant in TENANTS:
        for policy in POLICIES:
            world.stage(tenant, policy, f"{policy.metadata.name}-1")


def flow(world: World, seed: int, count: int = 200) -> None:
    for tenant in TENANTS:
        world.send(calls(count, seed, tenant), per_message=20, wait=False)
    world.broker.flush()


def slot_of(redis: "Redis", world: World, tenant: str, staging: str) -> bytes:
    """A slot of a tenant's staging, as a key."""
    topic = world.topics.events.name
    for partition in world.broker.ends:
        prefix = keys_of(PartitionId(topic, partition)).slot(f"{tenant} {staging} 0 ")
        for key in redis.scan_iter(match=prefix + b"*"):
            return bytes(key)
    pytest.fail("no such slot")


def sums(found: dict[str, Any], name: str) -> int:
    return sum(part.get(name, 0) for part in found["partitions"])


def test_every_cell_is_proven_while_a_worker_goes_on_and_what_is_altered_is_told_with_its_slot(
    make_world: MakeWorld, own_redis: OwnRedis
) -> None:
    world = make_world(redis_url=own_redis().url)
    staged(world)
    world.worker()
    flow(world, 1)
    world.settle()
    flow(world, 2, 2_000)  # the worker is busy with these
    code, found, err = counters(world, "verify")
    assert (code, found["equal"]) == (0, True), (found, err)
    assert sums(found, "cells") > 100
    assert sums(found, "identities") > 500
    world.settle()
    with Redis.from_url(world.redis_url) as redis:
        key = slot_of(redis, world, "acme", "monthly-1")
        field, was = next((f, int(v)) for f, v in redis.hgetall(key).items() if f.startswith(b"r"))
        redis.hincrby(key, field, 7)
        code, found, _ = counters(world, "verify", "--tenant", "acme")
        ((cell,),) = [part["differing"] for part in found["partitions"]]
        assert (code, cell["tenant"], cell["policy"], cell["rule"]) == (FOUND, "acme", "monthly", 0)
        assert (cell["expected_nano_usd"], cell["found_nano_usd"]) == (was, was + 7)
        assert cell["key"] == field.decode().partition(" ")[2]
        assert sums(found, "error_nano_usd") == 7
        redis.execute_command("HINCRBYFLOAT", key, field, "0.5")
        _, found, _ = counters(world, "verify", "--tenant", "acme")
        assert "found_nano_usd" not in found["partitions"][0]["differing"][0]
        redis.hset(key, field, was)
        assert counters(world, "verify")[0] == 0


def test_what_is_lost_or_too_much_is_told_and_a_rebuild_makes_all_of_it_equal(
    make_world: MakeWorld, own_redis: OwnRedis
) -> None:
    world = make_world(redis_url=own_redis().url)
    staged(world)
    world.worker()
    flow(world, 1)
    world.settle()
    with Redis.from_url(world.redis_url) as redis:
        redis.delete(slot_of(redis, world, "acme", "rolling-1"))
        key = slot_of(redis, world, "globex", "lifetime-1")
        redis.hset(key, "r0 somebody=else", 5)
        identities = next(iter(redis.scan_iter(match="sg:2:*:i:initech:*")))
        redis.spop(identities)
        redis.sadd(identities, b"12345678", b"87654321")
        code, found, _ = counters(world, "verify")
        assert code == FOUND
        assert {cell["tenant"] for part in found["partitions"] for cell in part.get("differing", ())} == {
            "acme", "globex",
        }  # fmt: skip
        assert sums(found, "differing_identities") == 3
        code, found, err = counters(world, "rebuild", "--all")
        assert (code, found["equal"]) == (0, True), (found, err)
    world.settle()
    flow(world, 2)
    world.settle()
    world.verify()


def test_a_worker_waits_while_counters_are_taken_away_and_a_rebuild_broken_off_is_done_again(
    make_world: MakeWorld, own_redis: OwnRedis
) -> None:
    world = make_world(redis_url=own_redis().url)
    staged(world)
    worker = world.worker()
    flow(world, 1)
    world.settle()
    with Redis.from_url(world.redis_url) as redis:
        for partition in world.broker.ends:  # as a rebuild begins, that was killed then
            redis.set(keys_of(PartitionId(world.topics.events.name, partition)).mark, "rebuild:-1")
    flow(world, 2)
    until(lambda: "are being taken away" in worker.log(), "the worker says what it waits for")
    code, found, _ = counters(world, "verify")
    assert (code, {part.get("problem") for part in found["partitions"]}) == (
        FOUND, {None, "its counters are being rebuilt"},
    )  # fmt: skip
    assert counters(world, "rebuild", "--all")[0] == 0
    world.settle()
    world.verify()


def test_counters_begin_at_the_ledgers_checkpoint_where_the_topic_has_forgotten_and_without_it_nothing_is_taken_away(
    make_world: MakeWorld, own_redis: OwnRedis
) -> None:
    world = make_world(redis_url=own_redis().url)
    staged(world)
    world.worker()
    world.recorder("ledger-events", SPENDGATE_LEDGER_CHECKPOINT_S="1")
    flow(world, 1)
    world.settle()
    until(lambda: checkpoints(world) == world.broker.ends, "a checkpoint of everything")
    gone = world.broker.forget(world.topics.events)
    before = world.marks()
    code, _, err = counters(world, "rebuild", "--all")
    assert (code, world.marks()) == (REFUSED, before), err
    code, found, err = counters(world, "verify", "--ledger", str(world.ledger))
    assert (code, found["equal"]) == (0, True), (found, err)
    code, found, err = counters(world, "rebuild", "--all", "--ledger", str(world.ledger))
    assert (code, found["equal"]) == (0, True), (found, err)
    world.verify(gone)
