"""A Redis that can be broken at will and comes back where it was."""

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeout

from dev.errors import PortTakenError, StackError
from dev.redis_process import RedisKind, RedisProcess
from tests.dev.test_ports import listening
from tests.stack import OwnRedis

KINDS = pytest.mark.parametrize("kind", ["redis", "valkey"])


def _client(server: RedisProcess, within_s: float = 30) -> Redis:
    return Redis.from_url(server.url, socket_timeout=within_s, retry=None, decode_responses=True)


@KINDS
def test_it_refuses_to_evict_and_saves_nothing(own_redis: OwnRedis, kind: RedisKind) -> None:
    with _client(own_redis(kind)) as client:
        settings = client.config_get("maxmemory-policy", "save", "appendonly", "bind")
    assert settings == {"maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "bind": "127.0.0.1"}


@KINDS
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_it_comes_back_empty_on_the_same_port(own_redis: OwnRedis, kind: RedisKind, end: str) -> None:
    server = own_redis(kind)
    with _client(server) as client:
        client.set("a", "1")
    getattr(server, end)()
    assert not server.alive
    assert not server.answers()
    server.start()
    server.wait_ready()
    with _client(server) as client:
        assert client.get("a") is None


def test_a_frozen_one_lives_answers_nothing_and_keeps_its_data(own_redis: OwnRedis) -> None:
    server = own_redis()
    with _client(server) as client:
        client.set("a", "1")
        server.pause()
        assert server.alive
        with _client(server, 0.5) as impatient, pytest.raises(RedisTimeout):
            impatient.get("a")
        server.resume()
        assert client.get("a") == "1"


def test_a_frozen_one_can_be_stopped(own_redis: OwnRedis) -> None:
    server = own_redis()
    server.pause()
    server.stop()
    assert not server.alive


def test_its_arguments_win(own_redis: OwnRedis) -> None:
    with _client(own_redis(args=["--maxmemory", "3mb"])) as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(3 * 1024 * 1024)}


def test_starting_what_runs_changes_nothing(own_redis: OwnRedis) -> None:
    server = own_redis()
    before = server.pids
    server.start()
    assert server.pids == before


def test_a_redis_of_somebody_else_on_its_port_is_not_taken_for_it(own_redis: OwnRedis) -> None:
    ours, theirs = own_redis(), own_redis()
    ours.stop()
    ours.port = theirs.port
    assert not ours.answers()
    with pytest.raises(PortTakenError, match="meant for redis"):
        ours.start()
    ours.stop()
    assert theirs.answers()


def test_one_that_cannot_start_says_why_in_one_line(own_redis: OwnRedis) -> None:
    server = own_redis()
    server.stop()
    server.args = ("--maxmemory-policy", "whatever")
    server.start()
    with pytest.raises(StackError) as caught:
        server.wait_ready()
    assert "\n" not in str(caught.value)
    assert str(server.log) in str(caught.value)


def test_a_port_that_is_taken_is_said_before_anything_starts(own_redis: OwnRedis) -> None:
    server = own_redis()
    server.stop()
    with listening() as server.port, pytest.raises(PortTakenError):
        server.start()
    assert not server.alive
