"""The store on SQLite and on PostgreSQL: every test runs on both."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import create_engine, text

from dev.postgres_process import PostgresProcess
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import Signer

KINDS = ("sqlite", "postgresql")


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    ms: int = 1_780_000_000_000

    def __call__(self) -> int:
        return self.ms


@dataclass
class Store:
    """A prepared database, with a clock and names of its own."""

    database: Database
    url: str
    clock: Clock = field(default_factory=Clock)
    signer: Signer = field(default_factory=lambda: Signer(Ed25519PrivateKey.generate()))
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def changes(self) -> Changes:
        """Changes by this clock, whose fresh names count upwards."""
        return Changes(self.database, self.clock, lambda: f"{next(self._names):016x}")


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: PostgresProcess = request.getfixturevalue("postgres")
    name = f"store_{token_hex(6)}"
    engine = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.url(name)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store that was brought to the present schema."""
    database = Database(url)
    migrate(database)
    yield Store(database, url)
    database.close()
