"""Every runbook is walked on the running system: its commands are run in order, and print what it says.

``SPENDGATE_RUNBOOKS_WRITE=1`` writes into the pages what was printed where nothing is written yet.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.kafka_process import KafkaProcess
from dev.redis_process import RedisProcess
from tests.enforcing.scene import Scene
from tests.live.waiting import until
from tests.live.world import World
from tests.runbooks.book import Command, Happens, walked
from tests.runbooks.happenings import Happenings
from tests.runbooks.matching import Names
from tests.runbooks.shell import Shell
from tests.runbooks.writing import complete, write

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "runbooks"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")
SECTIONS = ["What you see", "First minute", "Steps", "It is over when", "What it meant for spend", "Do not"]
WITHIN_S = 180.0
WRITES = os.environ.get("SPENDGATE_RUNBOOKS_WRITE") == "1"


@pytest.fixture(scope="module")
def happenings(kafka_libs: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Happenings]:
    """A system of its own, with a broker and a Redis that may be broken."""
    folder = tmp_path_factory.mktemp("runbooks")
    libs, java = kafka_libs
    (folder / "kafka").mkdir()
    (folder / "redis").mkdir()
    kafka, redis = KafkaProcess(folder / "kafka", libs=libs, java=java), RedisProcess(folder / "redis")
    world = scene = None
    try:
        kafka.start()
        redis.start()
        redis.wait_ready(60)
        kafka.wait_ready(300)
        world = World(kafka.bootstrap, redis.url, folder)
        scene = Scene(world, folder)
        world.worker()
        scene.agent()
        yield Happenings(scene, kafka, redis, Shell(scene))
    finally:
        if scene is not None:
            scene.close()
        if world is not None:
            world.close()
        redis.kill()
        kafka.kill()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_is_walked_and_its_commands_print_what_it_says(page: Path, happenings: Happenings) -> None:
    names, shell = Names(), happenings.shell
    commands = 0
    try:
        for step in walked(page):
            if isinstance(step, Happens):
                happenings.happen(step.words)
            else:
                commands += 1
                _run(step, names, shell, page)
    finally:
        happenings.tidy_up()
    assert commands > 2


def _run(step: Command, names: Names, shell: Shell, page: Path) -> None:
    printed, lacking = "", None

    def prints() -> bool:
        nonlocal printed, lacking
        printed = shell.run(names.put_in(step.text), step.person)
        lacking = names.lacking(step.expected, printed)
        return lacking is None

    if WRITES:
        complete(step, page, names)
    if step.waits:
        until(prints, f"{page.name}: {step.text}", WITHIN_S, lambda: f"lacking: {lacking}\nprinted:\n{printed}")
    elif not prints():
        pytest.fail(f"{page.name}: {step.text}\nlacking: {lacking}\nprinted:\n{printed}")
    if WRITES:
        write(step, printed, page, names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_says_all_that_its_reader_asks(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == SECTIONS
    assert f"]({page.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")
