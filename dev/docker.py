"""The stack as containers, where a Docker engine answers."""

import hashlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from dev.commands import answer, run
from dev.errors import StackError
from dev.interrupts import unbroken
from dev.places import COMPOSE
from dev.ports import free_port, is_taken, require_free
from dev.report import Report
from dev.state import State
from dev.wire import kafka_cluster, redis_pid

_READY_S = 120
_POLL_S = 0.2


def answers() -> bool:
    """Whether there is a Docker engine, and a docker command that knows compose."""
    if shutil.which("docker") is None:
        return False
    engine = answer(["docker", "info", "--format", "{{.ServerVersion}}"])
    return bool(engine and engine.strip()) and answer(["docker", "compose", "version"]) is not None


def is_ready(chosen: State) -> bool:
    """Whether Kafka and Redis answer on their published ports."""
    return kafka_cluster(chosen.kafka_port) is not None and redis_pid(chosen.redis_port) is not None


def up(directory: Path, chosen: State, report: Report) -> None:
    """Start the two containers and wait until they answer; on any failure take them away again."""
    report(f"starting kafka on port {chosen.kafka_port} and redis on port {chosen.redis_port} with Docker")
    begin = time.monotonic()
    try:
        _compose(directory, chosen, "up", "--detach", "kafka", "redis")
        _await(chosen)
    except BaseException:
        with unbroken():
            _compose(directory, chosen, "down")
        raise
    report(f"kafka and redis answer after {time.monotonic() - begin:.1f} s")


def down(directory: Path, chosen: State, report: Report, *, wipe: bool) -> bool:
    """Remove the containers, with ``wipe`` their volumes too. True where they answered."""
    was_ready = is_ready(chosen)
    report("stopping kafka and redis with Docker")
    _compose(directory, chosen, "down", *(["--volumes"] if wipe else []))
    return was_ready


def logs_command(directory: Path, server: str, lines: int, *, follow: bool) -> list[str]:
    """The command line that shows a container's log."""
    options = ["--no-log-prefix", "--tail", str(lines), *(["--follow"] if follow else [])]
    return [*_command(directory), "logs", *options, server]


def choose(before: State | None, kafka_port: int, redis_port: int) -> State:
    """Ports: those asked for, else the last ones where free, else new ones."""
    last = before if before is not None and before.engine == "docker" else State("docker", 0, 0)
    return State("docker", _port(last.kafka_port, kafka_port, "kafka"), _port(last.redis_port, redis_port, "redis"))


def _port(before: int, wished: int, name: str) -> int:
    if wished:
        require_free(wished, name)
        return wished
    return before if before and not is_taken(before) else free_port()


def _command(directory: Path) -> list[str]:
    """A project of its own for each directory, so that two checkouts do not meet."""
    project = "spendgate-" + hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:10]
    return ["docker", "compose", "--file", str(COMPOSE), "--project-name", project]


def _compose(directory: Path, chosen: State, *arguments: str) -> None:
    run(
        [*_command(directory), *arguments],
        directory / "docker.log",
        env={**os.environ, **_environment(chosen)},
    )


def _environment(chosen: State) -> Mapping[str, str]:
    return {"SPENDGATE_KAFKA_PORT": str(chosen.kafka_port), "SPENDGATE_REDIS_PORT": str(chosen.redis_port)}


def _await(chosen: State) -> None:
    deadline = time.monotonic() + _READY_S
    while not is_ready(chosen):
        if time.monotonic() > deadline:
            raise StackError(f"the containers did not answer within {_READY_S} s")
        time.sleep(_POLL_S)
