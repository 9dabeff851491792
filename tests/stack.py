"""Real servers for the tests: one stack for the whole run, and private ones for tests that break them.

Load it with ``pytest_plugins = ["tests.stack"]``. All of a run's servers live in one directory under the
system's temporary one. A run that was killed leaves them to the next run, which ends them: the lock of their
directory is free by then.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest

from dev import stack as local_stack
from dev.errors import StackError
from dev.jars import ensure_jars
from dev.java import find_java
from dev.kafka_process import KafkaProcess
from dev.places import shared_libs
from dev.ports import free_port
from dev.postgres_process import PostgresProcess, postgres_programs
from dev.redis_process import RedisKind, RedisProcess, preferred_kind
from dev.report import silent
from dev.stack import Stack

__all__ = [
    "OwnKafka",
    "OwnRedis",
    "free_port",
    "kafka_libs",
    "new_directory",
    "own_kafka",
    "own_redis",
    "postgres",
    "stack",
]


class OwnRedis(Protocol):
    """Starts a private Redis (or Valkey) that answers; it is killed after the test."""

    def __call__(self, binary: RedisKind | None = None, args: Sequence[str] = ()) -> RedisProcess:
        """``binary`` None takes what this machine has; ``args`` are added to the command line."""


class OwnKafka(Protocol):
    """Starts a private broker that answers; it is killed after the test."""

    def __call__(self) -> KafkaProcess:
        """A new broker, without topics."""


@pytest.fixture(scope="session")
def new_directory() -> Iterator[Callable[[], Path]]:
    """Makes directories whose servers are killed, and whose files are deleted, when the run ends."""
    with _run_directory() as run:
        yield lambda: Path(tempfile.mkdtemp(dir=run))


@pytest.fixture(scope="session")
def stack(new_directory: Callable[[], Path]) -> Iterator[Stack]:
    """The stack of this run. Topics are shared by all tests: give yours a name of their own."""
    directory = new_directory()
    yield local_stack.up(directory, libs=shared_libs())
    local_stack.down(directory)


@pytest.fixture(scope="session")
def kafka_libs(new_directory: Callable[[], Path]) -> tuple[Path, Path]:
    """Kafka's jars, fetched into the checkout where they are missing, and the Java to run them."""
    java = find_java(new_directory() / "setup.log", silent)
    ensure_jars(shared_libs(), java, silent)
    return shared_libs(), java


@pytest.fixture
def own_redis(new_directory: Callable[[], Path]) -> Iterator[OwnRedis]:
    """Private Redis servers, for tests that flush, freeze or kill one."""
    started: list[RedisProcess] = []

    def start(binary: RedisKind | None = None, args: Sequence[str] = ()) -> RedisProcess:
        started.append(RedisProcess(new_directory(), binary=binary or preferred_kind(), args=args))
        started[-1].start()
        started[-1].wait_ready(20)
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def own_kafka(new_directory: Callable[[], Path], kafka_libs: tuple[Path, Path]) -> Iterator[OwnKafka]:
    """Private brokers, for tests that stop, freeze or kill one; each takes some two seconds to start."""
    libs, java = kafka_libs
    started: list[KafkaProcess] = []

    def start() -> KafkaProcess:
        started.append(KafkaProcess(new_directory(), libs=libs, java=java))
        started[-1].start()
        started[-1].wait_ready(60)
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def postgres(new_directory: Callable[[], Path]) -> Iterator[PostgresProcess]:
    """The PostgreSQL of this run; skips where there is none and none can be installed."""
    directory = new_directory()
    try:
        programs = postgres_programs(directory / "setup.log", silent)
    except StackError as error:
        pytest.skip(str(error))
    server = PostgresProcess(directory, programs)
    server.start()
    server.wait_ready(60)
    yield server
    server.kill()


@contextmanager
def _run_directory() -> Iterator[Path]:
    """A directory that is this run's for as long as its lock is held."""
    base = Path(tempfile.gettempdir()) / f"spendgate-tests-{os.getuid()}"
    base.mkdir(mode=0o711, exist_ok=True)
    base.chmod(0o711)  # as root PostgreSQL runs as another user, whose directory lies below
    with (base / "lock").open("ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        _sweep(base)
        run = Path(tempfile.mkdtemp(prefix="run-", dir=base))
        run.chmod(0o711)
        owner = (run / "owner").open("ab")
        fcntl.flock(owner, fcntl.LOCK_EX)
    try:
        yield run
    finally:
        _clear(run)
        owner.close()


def _sweep(base: Path) -> None:
    """Clear what runs that no longer live have left."""
    for run in base.glob("run-*"):
        # Its run lives and holds the lock, or has this moment deleted the directory itself.
        with suppress(BlockingIOError, FileNotFoundError), (run / "owner").open("ab") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _clear(run)


def _clear(run: Path) -> None:
    for config in run.rglob("server.properties"):
        KafkaProcess(config.parent, 1, 1).kill()
    for config in run.rglob("redis.conf"):
        RedisProcess(config.parent, 1).kill()
    for version in run.rglob("PG_VERSION"):
        if version.parent.name == "data":
            PostgresProcess(version.parent.parent, run, 1).kill()
    shutil.rmtree(run, ignore_errors=True)
