"""The comparison itself: whatever is altered, lost or added is found."""

import msgspec
import pytest
from redis import Redis

from spendgate.model.decision import Decision, encode_decisions
from tests.live.samples import MONTHLY, ROLLING, calls
from tests.live.world import World
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId


@pytest.fixture
def judged(world: World) -> World:
    """A world in which all is well."""
    world.stage("acme", MONTHLY, "monthly-1")
    world.stage("acme", ROLLING, "rolling-1")
    world.send(calls(100, 1, "acme"))
    world.worker()
    world.settle()
    world.verify()
    return world


def assert_found(world: World, words: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=words):
        world.verify()


def test_a_counter_that_is_altered_lost_or_added_is_found(judged: World) -> None:
    judged.workers[-1].kill()  # an idle worker would mend a lost mark before anybody looks
    keys = keys_of(PartitionId(judged.topics.events.name, judged.partition("acme")))
    with Redis.from_url(judged.redis_url) as redis:
        slot = next(redis.scan_iter(match=keys.slot("") + b"*", count=10_000))
        field = next(iter(redis.hgetall(slot)))
        redis.hincrby(slot, field, 1)
        assert_found(judged, "counter acme")
        redis.hincrby(slot, field, -1)
        redis.hset(keys.slot("acme stray-1 0 0"), "r0 all", 1)
        assert_found(judged, "forgotten")
        redis.zadd(keys.expiries("acme"), {"acme stray-1 0 0": 2**52})
        assert_found(judged, "not owed")
        redis.unlink(keys.mark)
        assert_found(judged, "the mark is None")


def test_a_decision_that_is_altered_added_or_missing_is_found(judged: World) -> None:
    topic, key = judged.topics.decisions, b"acme"
    decision = msgspec.json.decode(judged.broker.read(topic)[0].value or b"", type=list[Decision])[0]
    odd = msgspec.structs.replace(decision, cost_nano_usd=(decision.cost_nano_usd or 0) + 1)
    judged.broker.send(topic, key, encode_decisions([odd]))
    judged.broker.flush()
    assert_found(judged, "differs")
    judged.send(calls(10, 2, "acme"))
    judged.settle()
    judged.broker.recreate(topic)
    assert_found(judged, "missing")
    judged.broker.send(topic, key, encode_decisions([msgspec.structs.replace(decision, decision_id="other")]))
    judged.broker.flush()
    assert_found(judged, "not owed")
