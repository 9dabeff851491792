"""What a worker must not start on, or go on with: it ends with one line that says why, and judges nothing."""

import pytest
from redis import Redis

from dev.trial.workers import Worker
from tests.live.conftest import MakeWorld
from tests.live.samples import MONTHLY, calls
from tests.live.world import World
from tests.stack import OwnRedis
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

REFUSED = 4


def last_words(worker: Worker) -> str:
    """The one line that says why it ended."""
    log = worker.log()
    assert "Traceback" not in log
    (line,) = [line for line in log.splitlines() if "CRITICAL" in line or line.startswith("spendgate:")]
    return line


@pytest.fixture
def judged(world: World) -> World:
    """A world whose worker has judged something and ended."""
    world.stage("acme", MONTHLY, "monthly-1")
    world.send(calls(60, 1, "acme"))
    worker = world.worker()
    world.settle()
    worker.terminate()
    return world


def test_a_redis_that_may_evict_is_refused_at_start(make_world: MakeWorld, own_redis: OwnRedis) -> None:
    world = make_world(redis_url=own_redis(args=("--maxmemory-policy", "allkeys-lru")).url)
    world.send(calls(60, 1, "acme"))
    worker = world.worker()
    assert worker.ended() == REFUSED
    assert "maxmemory-policy" in last_words(worker)
    assert world.marks() == {}


def test_a_mark_of_a_topic_that_was_made_anew_is_refused(judged: World) -> None:
    before = judged.marks()
    judged.broker.recreate(judged.topics.events)
    judged.send(calls(60, 2, "acme"))
    worker = judged.worker("two")
    assert worker.ended() == REFUSED
    assert "a topic of another id" in last_words(worker)
    assert judged.marks() == before


def test_a_mark_past_the_end_of_the_log_is_refused(judged: World) -> None:
    place = PartitionId(judged.topics.events.name, judged.partition("acme"))
    with Redis.from_url(judged.redis_url) as redis:
        mark = redis.get(keys_of(place).mark) or b""
        redis.set(keys_of(place).mark, mark.rpartition(b":")[0] + b":1000")
    judged.send(calls(60, 2, "acme"))
    worker = judged.worker()
    assert worker.ended() == REFUSED
    assert "past the log's end" in last_words(worker)


def test_counters_whose_mark_was_deleted_are_refused_and_rebuilt_once_they_are_gone(judged: World) -> None:
    keys = keys_of(PartitionId(judged.topics.events.name, judged.partition("acme")))
    with Redis.from_url(judged.redis_url) as redis:
        before = {key: redis.dump(key) for key in redis.scan_iter(match=keys.mark[: -len(b"mark")] + b"*")}
        del before[keys.mark]
        redis.delete(keys.mark)
        judged.send(calls(60, 2, "acme"))
        worker = judged.worker()
        assert worker.ended() == REFUSED
        assert f"delete sg:2:{{{judged.topics.events.name}:{judged.partition('acme')}}}:*" in last_words(worker)
        assert judged.marks() == {}
        assert {key: redis.dump(key) for key in before} == before
        redis.delete(*before)
    judged.worker()
    judged.settle()
    judged.verify()


def test_a_mark_that_was_set_back_is_refused(judged: World) -> None:
    mark = keys_of(PartitionId(judged.topics.events.name, judged.partition("acme"))).mark
    with Redis.from_url(judged.redis_url) as redis:
        redis.set(mark, (redis.get(mark) or b"").rpartition(b":")[0] + b":0")
    judged.send(calls(60, 2, "acme"))
    worker = judged.worker()
    assert worker.ended() == REFUSED
    assert "somebody changed the mark" in last_words(worker)
    assert set(judged.marks().values()) == {1}
