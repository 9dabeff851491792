"""One conformance suite on the fake and on real servers: which stores there are, and a fresh partition for each."""

import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from redis import Redis

from dev.ports import free_port
from dev.redis_process import RedisKind, RedisProcess
from tests.stack import OwnRedis, new_directory, own_redis, require_binary
from window_counters.memory import MemoryStore
from window_counters.protocol import CounterStore, PartitionId
from window_counters.redis_store import RedisStore

__all__ = ["new_directory", "own_redis"]

REAL = ("redis", "valkey", "plain client of a cluster", "cluster client")
KINDS: tuple[RedisKind, ...] = ("redis", "valkey")
USUAL = {"maxmemory": "0", "maxmemory-policy": "noeviction", "min-replicas-to-write": "0"}
CLUSTER_ARGS = ("--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1")
Fresh = Callable[[], PartitionId]
Role = Literal["redis", "valkey", "cluster", "lent redis", "lent valkey"]
Servers = Callable[[Role], RedisProcess]


def admin(server: RedisProcess) -> "Redis":
    """A client beside the store's."""
    return Redis.from_url(server.url, socket_timeout=30)


def _started(stack: ExitStack, directory: Path, role: Role) -> RedisProcess:
    kind: RedisKind = "valkey" if role.endswith("valkey") else "redis"
    require_binary(kind)
    # The bus is otherwise 10,000 above the port, among those that the system gives to outgoing connections.
    cluster = (*CLUSTER_ARGS, "--cluster-port", str(free_port()))
    server = RedisProcess(directory, binary=kind, args=cluster if role == "cluster" else ())
    stack.callback(server.kill)
    server.start()
    server.wait_ready()
    if role == "cluster":
        _assign_all_slots(server)
    return server


def _assign_all_slots(server: RedisProcess) -> None:
    with admin(server) as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        deadline = time.monotonic() + 120
        while client.cluster("INFO")["cluster_state"] != "ok":
            if time.monotonic() > deadline:
                pytest.fail("not within 120 s: the cluster takes writes")
            time.sleep(0.02)


@pytest.fixture(scope="session")
def servers(new_directory: Callable[[], Path]) -> Iterator[Servers]:
    """The session's server of each role, started when first asked for."""
    running: dict[Role, RedisProcess] = {}
    with ExitStack() as stack:

        def get(role: Role) -> RedisProcess:
            if role not in running:
                running[role] = _started(stack, new_directory(), role)
            return running[role]

        yield get


@pytest.fixture(params=KINDS)
def lent_server(request: pytest.FixtureRequest, servers: Servers) -> Iterator[RedisProcess]:
    """A server for one test, which may set it up otherwise; empty, and as it was, for the next."""
    server = servers("lent valkey" if request.param == "valkey" else "lent redis")
    yield server
    with admin(server) as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
        for setting, value in USUAL.items():
            client.config_set(setting, value)
        client.execute_command("ACL", "DELUSER", "worker")
        client.flushall()
        client.script_flush()


@pytest.fixture(params=KINDS)
def own_server(request: pytest.FixtureRequest, own_redis: OwnRedis) -> RedisProcess:
    """A server for one test, which may freeze it or kill it."""
    return own_redis(request.param)


def make_store(name: str, servers: Servers) -> CounterStore:
    """A store by its name in these tests."""
    if name == "memory":
        return MemoryStore()
    if name in KINDS:
        return RedisStore(servers("redis" if name == "redis" else "valkey").url)
    return RedisStore(servers("cluster").url, cluster=name == "cluster client")


@pytest_asyncio.fixture(params=("memory", *REAL))
async def store(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[CounterStore]:
    """Every store."""
    made = make_store(request.param, servers)
    yield made
    await made.close()


@pytest_asyncio.fixture(params=REAL)
async def real_store(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[CounterStore]:
    """Every store that has a server."""
    made = make_store(request.param, servers)
    yield made
    await made.close()


_numbers = itertools.count()


@pytest.fixture
def fresh() -> Fresh:
    """Partitions that no test has used before."""
    return lambda: PartitionId(f"spend.events-{next(_numbers)}", 7)


@pytest.fixture
def partition(fresh: Fresh) -> PartitionId:
    """A partition that no test has used before."""
    return fresh()
