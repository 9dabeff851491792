"""Fixtures of the agents' tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.kitchen import Kitchen


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    """A broker: the one that SPENDGATE_TEST_BOOTSTRAP names, else the test stack's."""
    given = os.environ.get("SPENDGATE_TEST_BOOTSTRAP")
    return given or str(request.getfixturevalue("stack").bootstrap)


@pytest.fixture
def kitchen(bootstrap: str, tmp_path: Path) -> Iterator[Kitchen]:
    made = Kitchen(bootstrap, tmp_path)
    yield made
    made.close()
