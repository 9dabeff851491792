"""The stack comes up whatever the last one left, and only its own servers end with it."""

import shutil
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dev import stack
from dev.errors import PortTakenError, RunningElsewhereError
from dev.kafka_process import KafkaProcess
from dev.ports import free_port
from dev.redis_process import RedisProcess, preferred_kind
from dev.stack import Stack
from tests.dev.test_ports import listening
from tests.stack import OwnRedis

_QUICK = 1.0


@pytest.fixture(scope="module")
def home(new_directory: Callable[[], Path]) -> Path:
    """The directory of this module's stack."""
    return new_directory() / "stack"


@pytest.fixture
def made(home: Path, kafka_libs: tuple[Path, Path]) -> Stack:
    """The module's stack, up, whatever the test before did to it."""
    return stack.up(home, engine="local", libs=kafka_libs[0])


@pytest.fixture
def up(kafka_libs: tuple[Path, Path], home: Path) -> Callable[..., Stack]:
    """``up`` of the module's stack, with the jars of the checkout."""
    return partial(stack.up, home, engine="local", libs=kafka_libs[0])


def _servers(home: Path) -> tuple[KafkaProcess, RedisProcess]:
    return KafkaProcess(home / "kafka", 1, 1), RedisProcess(home / "redis", 1)


def _pids(home: Path) -> list[list[int]]:
    return [server.pids for server in _servers(home)]


def _redis_port(made: Stack) -> int:
    return int(made.redis_url.removeprefix("redis://127.0.0.1:").removesuffix("/0"))


def _conditions(home: Path) -> list[str]:
    return [server.condition for server in stack.status(home).servers]


def test_up_twice_changes_nothing(made: Stack, up: Callable[..., Stack], home: Path) -> None:
    before = _pids(home)
    assert all(before)
    assert up() == made
    assert _pids(home) == before
    assert stack.status(home).ready


def test_two_at_once_make_one_stack(home: Path, up: Callable[..., Stack]) -> None:
    stack.down(home)
    said: list[str] = []
    results: list[Stack] = []
    both = [threading.Thread(target=lambda: results.append(up(report=said.append))) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert len(results) == 2
    assert results[0] == results[1]
    assert [len(pids) for pids in _pids(home)] == [1, 1]
    assert "waiting: another process is starting or ending this stack" in said


def test_after_a_crash_it_comes_back_on_its_ports(made: Stack, up: Callable[..., Stack], home: Path) -> None:
    for server in _servers(home):
        server.kill()
    assert _conditions(home) == ["stopped", "stopped"]
    assert up() == made


def test_a_frozen_redis_is_replaced(
    made: Stack, up: Callable[..., Stack], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dev.local._STARTING_S", _QUICK)
    _, redis = _servers(home)
    redis.pause()
    before = redis.pids
    assert _conditions(home) == ["running", "silent"]
    assert up() == made
    assert redis.pids not in ([], before)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kafka_port": "x", "redis_port": -1, "engine": 1}'])
def test_a_server_whose_port_nobody_remembers_is_ended(
    new_directory: Callable[[], Path],
    kafka_libs: tuple[Path, Path],
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dev.local._bring_up", lambda *_: None)
    directory = new_directory()
    forgotten = RedisProcess(directory / "redis", binary=preferred_kind())
    forgotten.start()
    (directory / "stack.json").write_text(text)
    stack.up(directory, engine="local", libs=kafka_libs[0])
    assert not forgotten.alive
    assert stack.status(directory).engine == "local"


def test_half_formatted_data_is_formatted_again(made: Stack, up: Callable[..., Stack], home: Path) -> None:
    kafka, _ = _servers(home)
    kafka.kill()
    (kafka.data / "meta.properties").write_text("version=1\n")
    (home / "kafka" / "data.new-left").mkdir()
    assert up() == made
    assert list((home / "kafka").glob("data.new*")) == []


def test_a_last_port_that_is_taken_gives_way_to_another(made: Stack, up: Callable[..., Stack], home: Path) -> None:
    _, redis = _servers(home)
    redis.stop()
    with socket.create_server(("127.0.0.1", _redis_port(made))):
        moved = up()
    assert moved.redis_url != made.redis_url
    assert moved.bootstrap == made.bootstrap
    assert stack.status(home).ready


def test_a_port_asked_for_that_is_taken_is_refused(made: Stack, up: Callable[..., Stack], home: Path) -> None:
    _, redis = _servers(home)
    redis.stop()
    with listening() as port, pytest.raises(PortTakenError, match="meant for redis"):
        up(redis_port=port)
    assert _conditions(home) == ["running", "stopped"]


def test_what_runs_is_not_moved_to_another_port(made: Stack, up: Callable[..., Stack]) -> None:
    with pytest.raises(RunningElsewhereError, match="spendgate dev down"):
        up(kafka_port=free_port())
    assert up() == made


def test_down_ends_its_own_servers_and_no_others(made: Stack, home: Path, own_redis: OwnRedis) -> None:
    other = own_redis()
    assert stack.down(home)
    assert _pids(home) == [[], []]
    assert other.answers()
    assert not stack.down(home)


def test_down_ends_servers_whose_directory_was_deleted(made: Stack, home: Path) -> None:
    shutil.rmtree(home)
    assert stack.down(home)
    assert _pids(home) == [[], []]
    assert not home.exists()


def test_wipe_deletes_data_and_keeps_jars(tmp_path: Path) -> None:
    kept = {"kafka/libs/a.jar", "kafka/maven.log", "lock"}
    for name in kept | {"kafka/data/x", "kafka/kafka.log", "kafka/server.properties", "redis/redis.conf"}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert not stack.down(tmp_path, wipe=True)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == kept


def test_status_of_a_stack_that_never_was_makes_nothing(tmp_path: Path) -> None:
    found = stack.status(tmp_path / "none")
    assert found.engine is None
    assert not found.ready
    assert not (tmp_path / "none").exists()
