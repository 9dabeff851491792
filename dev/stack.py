"""The whole stack: a real Kafka and a real Redis, by Docker where it answers, else as local processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dev import docker, local, state
from dev.errors import RunningElsewhereError, StackError, disk_errors_in
from dev.kafka_process import KafkaProcess
from dev.local import Wish
from dev.lock import locked
from dev.places import prepare
from dev.redis_process import RedisProcess
from dev.report import Report, silent
from dev.state import Engine, State
from dev.wire import kafka_cluster, redis_pid

__all__ = [
    "KafkaProcess",
    "RedisProcess",
    "ServerStatus",
    "Stack",
    "StackError",
    "Status",
    "down",
    "status",
    "up",
]

Condition = Literal["running", "silent", "stopped"]


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that answered: where Kafka and Redis are, how they run, and where their state is kept."""

    bootstrap: str
    redis_url: str
    engine: Engine
    directory: Path


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server: ``silent`` means that its process exists and does not answer."""

    name: str
    condition: Condition
    address: str
    pids: tuple[int, ...] = ()
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Both servers, Kafka first, and how they were last started (None: never)."""

    engine: Engine | None
    servers: tuple[ServerStatus, ...]

    @property
    def ready(self) -> bool:
        """Whether both answer."""
        return all(server.condition == "running" for server in self.servers)


def up(
    directory: Path,
    report: Report = silent,
    *,
    engine: Engine | None = None,
    kafka_port: int = 0,
    redis_port: int = 0,
    libs: Path | None = None,
) -> Stack:
    """Have a Kafka and a Redis that answer, starting what is not there; harmless where both are.

    ``engine`` None takes Docker where it answers and local processes otherwise. A port of 0 means a free
    one, the last one if it still is. ``libs`` has Kafka's jars (default: ``directory/kafka/libs``). Waits for
    another ``up`` or ``down`` of the same directory.

    Raises:
        PortTakenError: a port that was asked for belongs to another program.
        RunningElsewhereError: the stack runs, but not with the engine or port asked for.
        StackError: Java, Maven, Redis, disk space or an answer is missing.
    """
    directory = directory.resolve()
    wish = Wish(kafka_port, redis_port, libs or directory / "kafka" / "libs")
    with disk_errors_in(directory):
        prepare(directory)
        with _alone(directory, report):
            return _stack(directory, _up(directory, engine, wish, report))


def down(directory: Path, report: Report = silent, *, wipe: bool = False) -> bool:
    """End what ``up`` started in this directory and nothing else; ``wipe`` deletes its data.

    True where something ran.
    """
    directory = directory.resolve()
    with disk_errors_in(directory):
        if not directory.is_dir():
            return local.down(directory, report)
        with _alone(directory, report):
            return _down(directory, report, wipe=wipe)


def status(directory: Path) -> Status:
    """How the stack of this directory is; changes nothing."""
    directory = directory.resolve()
    chosen = state.load(directory)
    if chosen is not None and chosen.engine == "docker" and not local.runs(directory):
        return _docker_status(chosen)
    kafka, redis = local.servers(directory, chosen or State("local", 1, 1, 1), directory / "kafka" / "libs")
    engine: Engine | None = "local" if chosen is not None or kafka.alive or redis.alive else None
    return Status(engine, (_ask(kafka, kafka.bootstrap), _ask(redis, redis.url)))


def _up(directory: Path, engine: Engine | None, wish: Wish, report: Report) -> State:
    before = state.load(directory)
    running = _running_engine(directory, before)
    if running is not None and engine not in (None, running):
        raise RunningElsewhereError(f"the stack already runs with engine {running}: first run `spendgate dev down`")
    if running == "docker" and before is not None:
        _same_ports(before, wish)
        report("kafka and redis run already, with Docker")
        return before
    if running is None and engine != "local" and (engine == "docker" or docker.answers()):
        return _up_in_docker(directory, before, engine, wish, report)
    return local.up(directory, wish, report)


def _up_in_docker(directory: Path, before: State | None, engine: Engine | None, wish: Wish, report: Report) -> State:
    """Docker; where it was not asked for by name and fails, say an image cannot be had, local processes."""
    chosen = docker.choose(before, wish.kafka_port, wish.redis_port)
    state.save(directory, chosen)
    try:
        docker.up(directory, chosen, report)
    except StackError as error:
        if engine == "docker":
            raise
        report(f"{error}; using local processes")
        return local.up(directory, wish, report)
    return chosen


def _running_engine(directory: Path, before: State | None) -> Engine | None:
    if local.runs(directory):
        return "local"
    if before is not None and before.engine == "docker" and docker.is_ready(before):
        return "docker"
    return None


def _same_ports(before: State, wish: Wish) -> None:
    if wish.kafka_port not in (0, before.kafka_port) or wish.redis_port not in (0, before.redis_port):
        ports = f"{before.kafka_port} and {before.redis_port}"
        raise RunningElsewhereError(f"the stack already runs on ports {ports}: first run `spendgate dev down`")


def _down(directory: Path, report: Report, *, wipe: bool) -> bool:
    chosen = state.load(directory)
    ran = local.down(directory, report)
    if chosen is not None and chosen.engine == "docker" and docker.answers():
        ran = docker.down(directory, chosen, report, wipe=wipe) or ran
    if wipe:
        report("deleting data and logs")
        local.wipe(directory)
    return ran


def _stack(directory: Path, chosen: State) -> Stack:
    bootstrap = f"127.0.0.1:{chosen.kafka_port}"
    return Stack(bootstrap, f"redis://127.0.0.1:{chosen.redis_port}/0", chosen.engine, directory)


def _ask(server: KafkaProcess | RedisProcess, address: str) -> ServerStatus:
    pids = tuple(server.pids)
    if not pids:
        return ServerStatus(server.name, "stopped", address, (), server.log)
    condition: Condition = "running" if server.answers() else "silent"
    return ServerStatus(server.name, condition, address, pids, server.log)


def _docker_status(chosen: State) -> Status:
    found = kafka_cluster(chosen.kafka_port) is not None, redis_pid(chosen.redis_port) is not None
    names = ("kafka", f"127.0.0.1:{chosen.kafka_port}"), ("redis", f"redis://127.0.0.1:{chosen.redis_port}/0")
    conditions: list[Condition] = ["running" if answered else "stopped" for answered in found]
    return Status("docker", tuple(ServerStatus(name, c, at) for (name, at), c in zip(names, conditions, strict=True)))


@contextmanager
def _alone(directory: Path, report: Report) -> Iterator[None]:
    with locked(directory / "lock", report, "starting or ending this stack"):
        yield
