"""The commands of the documentation that need servers: some on a stack of their own, others on a running system."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex

import pytest

from dev.places import CHECKOUT, shared_libs
from dev.redis_process import RedisProcess
from dev.stack import Stack
from dev.trial.broker import Broker
from spendgate.model.topics import load_topics
from tests.docs.installing import COMMANDS, Installation
from tests.docs.pages import PAGES
from tests.docs.running import pages_with, run_page
from tests.docs.session import Session, places
from tests.docs.walking import MARK, System, walk
from tests.enforcing.scene import Scene
from tests.live.world import World
from tests.stack import new_directory, run_directory, stack

__all__ = ["new_directory", "run_directory", "stack"]


def stack_in(folder: Path) -> Path:
    """Where a stack of its own may be; its jars are fetched once for the checkout."""
    jars = folder / "dev" / "kafka" / "libs"
    jars.parent.mkdir(parents=True)
    jars.symlink_to(shared_libs())
    return folder / "dev"


@pytest.mark.parametrize("page", pages_with("run: stack", PAGES))
def test_a_pages_commands_print_what_it_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPENDGATE_DEV_DIR", str(stack_in(tmp_path)))
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


@pytest.fixture
def installation(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    """What a page installs, on the broker of the run and a Redis of its own, which pages break."""
    (tmp_path / "redis").mkdir()
    redis = RedisProcess(tmp_path / "redis")
    redis.start()
    redis.wait_ready(60)
    prefix = f"docs-{token_hex(4)}."
    shutil.copytree(CHECKOUT / "examples", tmp_path / "examples")
    session = Session(
        tmp_path, environment_of(stack, redis, tmp_path, prefix), places(tmp_path, stack.bootstrap, redis.url), prefix
    )
    monkeypatch.setenv("SPENDGATE_DEV_DIR", session.environment["SPENDGATE_DEV_DIR"])
    try:
        with ExitStack() as exits:
            yield Installation(session, redis, stack, exits)
    finally:
        session.close()
        redis.kill()


def environment_of(stack: Stack, redis: RedisProcess, folder: Path, prefix: str) -> dict[str, str]:
    """Of every command of an installation; what a page sets itself goes before."""
    return {
        "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_REDIS": redis.url, "SPENDGATE_TOPIC_PREFIX": prefix,
        "SPENDGATE_REPLICATION": "1", "SPENDGATE_LEDGER": str(folder / "ledger"), "SPENDGATE_LEDGER_COMMIT_S": "0.5",
        "SPENDGATE_STORE": f"sqlite:///{folder / 'store.db'}", "SPENDGATE_STORE_KEY_FILE": str(folder / "store.pem"),
        "SPENDGATE_HOME": str(folder / "home"), "SPENDGATE_DEV": "",
        "SPENDGATE_DEV_DIR": str(stack_in(folder)), "SPENDGATE_CHECK_S": "5",
        "COLUMNS": "400", "NO_COLOR": "1",
    }  # fmt: skip


@pytest.mark.parametrize("page", pages_with(COMMANDS, PAGES))
def test_a_page_installs_what_it_says(page: str, installation: Installation) -> None:
    assert installation.walk(page) > 0
