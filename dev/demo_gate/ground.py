"""What the story stands on: topics, a store, people with keys, and the real processes, all of this run alone."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from subprocess import Popen

import httpx
from kafka import KafkaAdminClient
from redis import Redis

from dev.agents import process
from dev.demo_gate.clock import CLOCK_ENV, Clock
from dev.errors import StackError
from dev.places import home
from dev.ports import free_port
from dev.stack import Stack
from policy_store import api_keys, tenants
from policy_store.api_keys import Role
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import make_key_file
from spendgate.model.partition import partition_of
from spendgate.model.topics import Topics, load_topics
from window_counters.keys import Keys, hurried_key, keys_of, prefix_of
from window_counters.protocol import PartitionId

TENANT = "acme"
PEOPLE: dict[str, Role] = {"ann": "editor", "bob": "approver", "cat": "operator", "dan": "operator", "app": "ingest"}
OF_THE_CLOCK = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
"""The one setting in which this log is not as topics.yaml has it: its records carry the times of the demo's clock."""


@dataclass(frozen=True)
class Ground:
    """Where everything of this run is. ``environment``: of every process."""

    stack: Stack
    topics: Topics
    folder: Path
    clock: Clock
    database: Database
    keys: dict[str, str]
    url: str
    environment: dict[str, str]
    exits: ExitStack
    processes: dict[str, "Popen[bytes]"]

    def client(self, person: str) -> httpx.Client:
        """The door, with a person's key."""
        bearer = {"Authorization": f"Bearer {self.keys[person]}"}
        return httpx.Client(base_url=self.url, headers=bearer, timeout=30)

    @property
    def counters(self) -> Keys:
        """The names of the tenant's keys in Redis."""
        topic = self.topics.events
        return keys_of(PartitionId(topic.name, partition_of(TENANT.encode(), topic.partitions)))

    def redis(self) -> "Redis":
        """A connection to Redis, past everything that knows what it does."""
        return Redis.from_url(self.stack.redis_url, socket_timeout=10)

    def run(self, name: str, module: list[str], **settings: str) -> None:
        """Start a process; it ends with the story."""
        log = self.folder / f"{name}.log"
        environment = {**self.environment, "SPENDGATE_INSTANCE": f"{self.folder.name}-{name}", **settings}
        self.processes[name] = self.exits.enter_context(process(module, environment, log))

    def require_alive(self) -> None:
        """Raise StackError where a process has ended."""
        for name, each in self.processes.items():
            if each.poll() is not None:
                raise StackError(f"{name} ended with exit code {each.returncode}; its log: {self.folder / name}.log")


@contextmanager
def laid(stack: Stack) -> Iterator[Ground]:
    """A ground of this run, which is taken away again but for its logs."""
    folder = home() / "demo-gate"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prefix = f"demo-gate-{token_hex(4)}."
    topics = load_topics(prefix=prefix, replication=1)
    with ExitStack() as exits:
        clock, database = Clock(folder / "clock"), Database(f"sqlite:///{folder / 'store.db'}")
        exits.callback(clock.close)
        exits.callback(database.close)
        _make(stack, topics, exits)
        migrate(database)
        signer, enforcer = make_key_file(folder / "store.pem"), make_key_file(folder / "enforcement.pem")
        port = free_port()
        environment = {
            "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_REDIS": stack.redis_url, "SPENDGATE_TOPIC_PREFIX": prefix,
            "SPENDGATE_REPLICATION": "1", "SPENDGATE_LEDGER": str(folder / "ledger"),
            "SPENDGATE_LEDGER_COMMIT_S": "0.5", "SPENDGATE_LEDGER_CHECKPOINT_S": "0",
            "SPENDGATE_STORE": f"sqlite:///{folder / 'store.db'}",
            "SPENDGATE_STORE_KEY_FILE": str(folder / "store.pem"), "SPENDGATE_STORE_KEYS": signer.public,
            "SPENDGATE_ENFORCEMENT_KEY_FILE": str(folder / "enforcement.pem"),
            "SPENDGATE_ENFORCEMENT_KEYS": enforcer.public, "SPENDGATE_HTTP_PORT": str(port),
            "SPENDGATE_HTTP_HOST": "127.0.0.1", CLOCK_ENV: str(clock.path), "SPENDGATE_DEV": "",
        }  # fmt: skip
        yield Ground(
            stack, topics, folder, clock, database, _keys(Changes(database, clock.now_ms)),
            f"http://127.0.0.1:{port}", environment, exits, {},
        )  # fmt: skip


def _make(stack: Stack, topics: Topics, exits: ExitStack) -> None:
    """The topics of this run; at its end they go, and what was kept in Redis of them."""
    admin = KafkaAdminClient(bootstrap_servers=stack.bootstrap)
    exits.callback(admin.close)
    exits.callback(_forget, stack, topics)
    exits.callback(admin.delete_topics, [topic.name for topic in topics.all])
    admin.create_topics(
        {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": 1,
                "configs": {**topic.settings, **(OF_THE_CLOCK if topic is topics.events else {})},
            }
            for topic in topics.all
        },
        wait_for_metadata=True,
    )


def _forget(stack: Stack, topics: Topics) -> None:
    with suppress(OSError), Redis.from_url(stack.redis_url, socket_timeout=10) as client:
        for partition in range(topics.events.partitions):
            for name in client.scan_iter(f"{prefix_of(topics.events.name, partition)}*", count=1000):
                client.delete(name)
        client.delete(hurried_key(TENANT))


def _keys(changes: Changes) -> dict[str, str]:
    with changes.of(TENANT, "(demo)") as change:
        tenants.create(change)
        return {person: api_keys.create(change, person, role).text for person, role in PEOPLE.items()}
