"""A real door: its own process on a free port, on the stack of the run, with topics and a store of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from content_store.schema import SCHEMA
from content_store.store import ContentStore
from dev.ports import free_port
from dev.postgres_process import PostgresProcess
from dev.stack import Stack
from dev.trial.broker import Broker
from policy_store import api_keys, tenants
from policy_store.api_keys import Role
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.master_keys import make_master_key_file
from policy_store.migrate import migrate
from policy_store.signing import Signer, make_key_file
from spendgate.model.topics import Topics, load_topics
from tests.live.waiting import until

ROOT = Path(__file__).resolve().parents[2]
TENANT = "acme"


@dataclass
class Door:
    """One process of the door, and what it stands on."""

    folder: Path
    broker: Broker
    topics: Topics
    prefix: str
    database: Database
    store_url: str
    signer: Signer
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    started: int = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> Path:
        """The ledger that it simulates over."""
        return self.folder / "ledger"

    def start(self, **settings: str) -> None:
        """Start it, and return once it answers; one that does not is killed."""
        self.started += 1
        self.prepare_content()
        environment = {
            **os.environ, "SPENDGATE_KAFKA": self.broker.bootstrap, "SPENDGATE_STORE": self.store_url,
            "SPENDGATE_STORE_KEY_FILE": str(self.folder / "store.pem"), "SPENDGATE_TOPIC_PREFIX": self.prefix,
            "SPENDGATE_REPLICATION": "1", "SPENDGATE_HTTP_PORT": str(self.port),
            "SPENDGATE_LEDGER": str(self.ledger), "SPENDGATE_MASTER_KEY_FILE": str(self.folder / "master.key"),
            "SPENDGATE_CONTENT_STORE": self.content_url, **settings,
        }  # fmt: skip
        with self.output.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway_shadow.app"], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                stdout=sink, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            until(self.answers, "the door to answer")
        except BaseException:
            self.process.kill()
            raise

    @property
    def content_url(self) -> str:
        """The database that it keeps content in."""
        return f"sqlite:///{self.folder / 'contents.db'}"

    def contents(self) -> ContentStore:
        """What it keeps, beside the door."""
        return ContentStore(self.content_url)

    def prepare_content(self) -> None:
        """A master key, and a database for content, where there are none yet."""
        if not (self.folder / "master.key").exists():
            make_master_key_file(self.folder / "master.key")
            contents = self.contents()
            migrate(contents.database, schema=SCHEMA)
            contents.close()

    @property
    def output(self) -> Path:
        """What the process has logged."""
        return self.folder / f"door-{self.started}.log"

    def answers(self) -> bool:
        """Whether it does."""
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()
        try:
            return httpx.get(f"{self.url}/health/live", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self, *, kill: bool = False) -> int:
        """End it; the exit code."""
        assert self.process is not None
        (self.process.kill if kill else self.process.terminate)()
        return self.process.wait(60)

    def close(self) -> None:
        """End what still runs."""
        if self.process is not None and self.process.poll() is None:
            self.stop(kill=True)
        self.database.close()
        self.broker.close()

    def changes(self) -> Changes:
        """Changes of the store, beside the door."""
        return Changes(self.database)

    def key(self, role: Role, person: str = "ann", tenant: str = TENANT) -> str:
        """A new key."""
        with self.changes().of(tenant, "root") as change:
            if tenants.get(change.connection, tenant) is None:
                tenants.create(change)
            return api_keys.create(change, person, role).text

    def as_(self, role: Role, person: str = "ann", tenant: str = TENANT, **headers: str) -> httpx.Client:
        """A client with a new key."""
        bearer = {"Authorization": f"Bearer {self.key(role, person, tenant)}"}
        return httpx.Client(base_url=self.url, headers={**bearer, **headers}, timeout=30)

    def rows(self, topic: str = "events") -> list[Any]:
        """All messages of one of the topics."""
        return self.broker.read(getattr(self.topics, topic))


MakeDoor = Callable[..., Door]


def make(bootstrap: str, folder: Path) -> Door:
    """A door that has not been started, with topics and a store of its own."""
    prefix = f"door-{token_hex(4)}."
    topics = load_topics(prefix=prefix, replication=1)
    broker = Broker(bootstrap, topics)
    broker.create([topics.events, topics.policies, topics.checks, topics.decisions, topics.reconciliations])
    url = f"sqlite:///{folder / 'store.db'}"
    database = Database(url)
    migrate(database)
    return Door(folder, broker, topics, prefix, database, url, make_key_file(folder / "store.pem"))


def make_upon(server: PostgresProcess, bootstrap: str, folder: Path) -> Door:
    """The same with a new database of a PostgreSQL for its store."""
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE door"))
    engine.dispose()
    made = make(bootstrap, folder)
    made.database.close()
    made.store_url = server.url("door")
    made.database = Database(made.store_url)
    migrate(made.database)
    return made


@pytest.fixture
def make_door(stack: Stack, tmp_path: Path) -> Iterator[MakeDoor]:
    """Makes doors, on the stack of the run where no other broker is given; they are killed after the test."""
    made: list[Door] = []

    def run(bootstrap: str | None = None, *, started: bool = True, **settings: str) -> Door:
        folder = tmp_path / f"door-{len(made)}"
        folder.mkdir()
        made.append(make(bootstrap or stack.bootstrap, folder))
        if started:
            made[-1].start(**settings)
        return made[-1]

    yield run
    for each in made:
        each.close()


@pytest.fixture
def door(make_door: MakeDoor) -> Door:
    """A door on the stack of the run."""
    return make_door()


@pytest.fixture(scope="module")
def shared_door(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """One door for the tests of a module that leave nothing behind."""
    made = make(stack.bootstrap, tmp_path_factory.mktemp("door"))
    made.start()
    yield made
    made.close()
