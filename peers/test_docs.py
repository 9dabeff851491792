"""The commands of the documentation that need servers: some on a stack of their own, others on a running system."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from dev.places import shared_libs
from dev.stack import Stack
from dev.trial.broker import Broker
from spendgate.model.topics import load_topics
from tests.docs.pages import PAGES
from tests.docs.running import pages_with, run_page
from tests.docs.walking import MARK, System, walk
from tests.enforcing.scene import Scene
from tests.live.world import World
from tests.stack import new_directory, run_directory, stack

__all__ = ["new_directory", "run_directory", "stack"]


@pytest.mark.parametrize("page", pages_with("run: stack", PAGES))
def test_a_pages_commands_print_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = tmp_path / "dev" / "kafka" / "libs"
    jars.parent.mkdir(parents=True)
    jars.symlink_to(shared_libs())  # fetched once for the checkout
    monkeypatch.setenv("SPENDGATE_DEV_DIR", str(tmp_path / "dev"))
    run_page(page, "run: stack", tmp_path)


@pytest.mark.parametrize("page", pages_with("run: kafka", PAGES))
def test_a_pages_commands_print_what_it_says_of_topics(page: str, stack: Stack, tmp_path: Path) -> None:
    prefix = f"docs-{token_hex(4)}."
    topics = load_topics(prefix=prefix, replication=1)
    broker = Broker(stack.bootstrap, topics)
    broker.create([topics.events, topics.rejected])
    settings = {"SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_TOPIC_PREFIX": prefix, "SPENDGATE_REPLICATION": "1"}
    run_page(page, "run: kafka", tmp_path, settings)
    broker.close()


@pytest.fixture(scope="module")
def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A running system for the pages of a module."""
    folder = tmp_path_factory.mktemp("docs")
    world = World(stack.bootstrap, stack.redis_url, folder)
    scene = Scene(world, folder)
    try:
        yield System.started(scene)
    finally:
        scene.close()
        world.close()


@pytest.mark.parametrize("page", pages_with(MARK, PAGES))
def test_a_pages_commands_print_what_it_says_on_a_running_system(page: str, system: System, tmp_path: Path) -> None:
    assert walk(page, system, tmp_path) > 0
