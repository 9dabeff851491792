"""The stack as two local processes."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dev import state
from dev.errors import PortTakenError, RunningElsewhereError, StackError
from dev.interrupts import unbroken
from dev.jars import ensure_jars
from dev.java import find_java
from dev.kafka_process import KafkaProcess
from dev.ports import free_port, is_taken
from dev.redis_process import RedisProcess, preferred_kind
from dev.report import Report
from dev.server import ServerProcess
from dev.state import State

_STARTING_S = 45
"""How long a server that runs already may take to answer before it counts as stuck."""
_START_S = 90
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked of ``up``: ports (0: any free one) and where the jars are."""

    kafka_port: int
    redis_port: int
    libs: Path


def servers(directory: Path, chosen: State, libs: Path) -> tuple[KafkaProcess, RedisProcess]:
    """The two servers of a stack in ``directory``, whether they run or not."""
    kafka = KafkaProcess(directory / "kafka", chosen.kafka_port, chosen.controller_port, libs=libs)
    return kafka, RedisProcess(directory / "redis", chosen.redis_port, preferred_kind())


def runs(directory: Path) -> bool:
    """Whether a server of this directory is alive."""
    return any(server.alive for server in _by_place(directory))


def up(directory: Path, wish: Wish, report: Report) -> State:
    """Start what does not run and answer, and return where it is.

    Whatever ends this before its time, an error or Ctrl-C, ends what it started and nothing else.
    """
    java = find_java(directory / "setup.log", report)
    ensure_jars(wish.libs, java, report)
    for last in range(_TRIES):
        chosen = _choose(directory, wish)
        state.save(directory, chosen)
        kafka, redis = servers(directory, chosen, wish.libs)
        kafka.java = java
        try:
            _bring_up((kafka, redis), report)
        except PortTakenError:
            if last == _TRIES - 1 or wish.kafka_port or wish.redis_port:
                raise
        else:
            break
    return chosen


def down(directory: Path, report: Report) -> bool:
    """End the two servers, where they run. True where one did."""
    running = [server for server in _by_place(directory) if server.alive]
    for server in running:
        report(f"stopping {server.name}")
        server.stop()
    return bool(running)


def wipe(directory: Path) -> None:
    """Delete data, configuration and logs; the jars stay."""
    for pattern in ("data*", "*.properties", "kafka.log*"):
        for found in (directory / "kafka").glob(pattern):
            _delete(found)
    _delete(directory / "redis")


def _by_place(directory: Path) -> Sequence[ServerProcess]:
    """A server is known by its directory; the port does not matter to end it."""
    return (KafkaProcess(directory / "kafka", 1, 1), RedisProcess(directory / "redis", 1))


def _choose(directory: Path, wish: Wish) -> State:
    """Ports: those in use by what runs, else those asked for, else the last ones where free, else new."""
    before = state.load(directory)
    kafka, redis = _by_place(directory)
    if before is None or before.engine != "local":
        _end_unknown(kafka, redis)
        before = State("local", 0, 0)
    kafka_port = _port(kafka, before.kafka_port, wish.kafka_port)
    controller_port = _port(kafka, before.controller_port, 0)
    return State("local", kafka_port, _port(redis, before.redis_port, wish.redis_port), controller_port)


def _end_unknown(*found: ServerProcess) -> None:
    """Servers of this directory whose ports nobody remembers are of no use."""
    for server in found:
        if server.alive:
            server.stop()


def _port(server: ServerProcess, before: int, wished: int) -> int:
    if server.alive and before:
        if wished not in (0, before):
            raise RunningElsewhereError(f"{server.name} runs on port {before}: first run `spendgate dev down`")
        return before
    if wished:
        return wished
    return before if before and not is_taken(before) else free_port()


def _bring_up(both: Sequence[ServerProcess], report: Report) -> None:
    started: list[ServerProcess] = []
    try:
        for server in both:
            if not _reuse(server, report):
                report(f"starting {server.name} on port {server.port}")
                started.append(server)
                server.start()
        _await(started, report)
    except BaseException:
        with unbroken():
            for server in started:
                server.kill()
        raise


def _reuse(server: ServerProcess, report: Report) -> bool:
    """Whether it runs and answers; one that runs and does not is ended."""
    if not server.alive:
        return False
    try:
        server.wait_ready(_STARTING_S)
    except StackError:
        report(f"{server.name} runs but does not answer: ending it")
        server.kill()
        return False
    report(f"{server.name} runs already, on port {server.port}")
    return True


def _await(started: Sequence[ServerProcess], report: Report) -> None:
    begin = time.monotonic()
    for server in reversed(started):
        server.wait_ready(_START_S)
        report(f"{server.name} answers after {time.monotonic() - begin:.1f} s")


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
