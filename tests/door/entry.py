"""A door that lets a provider's people in, and their browsers."""

from collections.abc import Iterator

import pytest

from dev.stack import Stack
from policy_store import audit
from tests.door.browser import Browser
from tests.door.conftest import Door, make
from tests.login.provider import Provider, provider

__all__ = ["browser", "entry", "idp", "running", "trail"]


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    """A provider for the module."""
    with provider() as found:
        yield found


@pytest.fixture
def idp(running: Provider) -> Iterator[Provider]:
    """The provider, honest again after the test."""
    yield running
    running.honest()


@pytest.fixture(scope="module")
def entry(stack: Stack, running: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door for the module, with two tenants."""
    made = make(stack.bootstrap, tmp_path_factory.mktemp("login"))
    made.start(SPENDGATE_PUBLIC_URL=made.url, **running.settings(made.folder))
    made.key("viewer")
    made.key("viewer", tenant="labs")
    yield made
    made.close()


@pytest.fixture
def browser(entry: Door) -> Iterator[Browser]:
    """One person's browser."""
    with Browser(entry) as found:
        yield found


def trail(door: Door, tenant: str) -> list[audit.Entry]:
    """A tenant's rows, in order."""
    with door.database.read() as connection:
        return audit.entries(connection, tenant, most=10_000)
