"""Real servers for the tests: one stack for the whole run, and private ones for tests that break them.

Load it with ``pytest_plugins = ["tests.run_directory", "tests.stack"]``. The workers of a parallel run share its
stack and its PostgreSQL: whichever asks first starts them, and they end with the run.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from dev import stack as local_stack
from dev.class_archive import ensure_archive
from dev.errors import StackError
from dev.jars import ensure_jars
from dev.java import find_java
from dev.kafka_process import KafkaProcess
from dev.lock import locked
from dev.places import shared_libs
from dev.ports import free_port
from dev.postgres_process import PostgresProcess, postgres_programs
from dev.redis_process import RedisKind, RedisProcess, preferred_kind, server_binary
from dev.report import silent
from dev.stack import Stack
from tests.run_directory import run_directory

__all__ = [
    "OwnKafka",
    "OwnRedis",
    "free_port",
    "kafka_libs",
    "new_directory",
    "own_kafka",
    "own_redis",
    "postgres",
    "require_binary",
    "run_directory",
    "stack",
]

# Brokers of tests live for minutes at most: the code that a JVM is best at would cost more than it saves.
os.environ.setdefault("SPENDGATE_KAFKA_JVM", "-XX:TieredStopAtLevel=1")


class OwnRedis(Protocol):
    """Starts a private Redis (or Valkey) that answers; it is killed after the test."""

    def __call__(self, binary: RedisKind | None = None, args: Sequence[str] = ()) -> RedisProcess:
        """``binary`` None takes what this machine has; ``args`` are added to the command line."""


class OwnKafka(Protocol):
    """Starts a private broker that answers; it is killed after the test."""

    def __call__(self) -> KafkaProcess:
        """A new broker, without topics."""


@pytest.fixture(scope="session")
def new_directory(run_directory: Path) -> Callable[[], Path]:
    """Makes directories whose servers are killed, and whose files are deleted, when the run ends."""
    return lambda: Path(tempfile.mkdtemp(dir=run_directory))


@pytest.fixture(scope="session")
def stack(run_directory: Path) -> Stack:
    """The stack of this run. Topics are shared by all tests: give yours a name of their own."""
    return local_stack.up(run_directory / "stack", libs=shared_libs())


@pytest.fixture(scope="session")
def kafka_libs(new_directory: Callable[[], Path]) -> tuple[Path, Path]:
    """Kafka's jars, fetched into the checkout where they are missing, and the Java to run them; both start quickly."""
    java = find_java(new_directory() / "setup.log", silent)
    ensure_jars(shared_libs(), java, silent)
    ensure_archive(shared_libs(), java, silent)
    return shared_libs(), java


@pytest.fixture
def own_redis(new_directory: Callable[[], Path]) -> Iterator[OwnRedis]:
    """Private Redis servers, for tests that flush, freeze or kill one."""
    started: list[RedisProcess] = []

    def start(binary: RedisKind | None = None, args: Sequence[str] = ()) -> RedisProcess:
        kind = binary or preferred_kind()
        require_binary(kind)
        started.append(RedisProcess(new_directory(), binary=kind, args=args))
        started[-1].start()
        started[-1].wait_ready()
        return started[-1]

    yield start
    for server in started:
        server.kill()


def require_binary(kind: RedisKind) -> None:
    """Skip the test where this machine has no server of that kind."""
    try:
        server_binary(kind)
    except StackError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def own_kafka(new_directory: Callable[[], Path], kafka_libs: tuple[Path, Path]) -> Iterator[OwnKafka]:
    """Private brokers, for tests that stop, freeze or kill one; each takes some two seconds to start."""
    libs, java = kafka_libs
    started: list[KafkaProcess] = []

    def start() -> KafkaProcess:
        started.append(KafkaProcess(new_directory(), libs=libs, java=java))
        started[-1].start()
        started[-1].wait_ready(240)
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture(scope="session")
def postgres(run_directory: Path) -> PostgresProcess:
    """The PostgreSQL of this run; skips where there is none and none can be installed.

    Databases are shared by all tests: give yours a name of their own.
    """
    directory = run_directory / "postgres"
    directory.mkdir(exist_ok=True)
    with locked(run_directory / "postgres.lock", silent, "starting PostgreSQL"):
        try:
            programs = postgres_programs(run_directory / "setup.log", silent)
        except StackError as error:
            pytest.skip(str(error))
        server = PostgresProcess(directory, programs, _same_port(run_directory / "postgres.port"))
        server.start()
        server.wait_ready(240)
    return server


def _same_port(noted: Path) -> int:
    """The port that another worker has noted, else a new one, noted."""
    if not noted.exists():
        noted.write_text(str(free_port()))
    return int(noted.read_text())
