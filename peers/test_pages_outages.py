"""What the dashboard says while stores are away, in Debian's Chromium: sound in every theme and width."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from dev.chromium import CHROMIUM, signed_in
from dev.ports import free_port
from dev.stack import Stack
from peers.browsers import chromium, unsound_in_any_view
from tests.door.conftest import Door, make
from tests.engine.scenes import TENANT, log_of
from tests.live.waiting import until
from tests.reconcile.test_reconcile import busy, write
from tests.stack import new_directory, run_directory, stack

__all__ = ["chromium", "new_directory", "run_directory", "stack"]

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


@pytest.fixture(scope="module")
def door(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A door whose Redis nobody has started."""
    found = make(stack.bootstrap, tmp_path_factory.mktemp("away"))
    log, decisions, _ = busy()
    write(found.ledger, log_of(*(record.body for record in log)), decisions)
    found.start(SPENDGATE_REDIS=f"redis://127.0.0.1:{free_port()}")
    yield found
    found.close()


def test_the_notices_of_stores_that_are_away_are_sound_in_every_view(chromium: Browser, door: Door) -> None:
    page = signed_in(chromium, door.url, door.key("operator", "ola", TENANT))
    shows(page, "/", "Redis does not answer.", "Spent this month")
    door.ledger.rename(door.folder / "elsewhere")
    shows(page, "/", "Redis does not answer.", "The ledger does not answer.")
    assert unsound_in_any_view(page) == []
    door.database.close()
    for each in door.folder.glob("store.db*"):
        each.rename(each.with_name(f"gone-{each.name}"))
    shows(page, "/settings", "What is enforced cannot be read now.", "Redis does not answer.")
    assert unsound_in_any_view(page) == []


def shows(page: Page, address: str, *words: str) -> None:
    """Go there until all the words are there: a door sees an outage only when it next looks."""

    def does() -> bool:
        page.goto(address)
        return all(page.get_by_text(each).count() for each in words)

    until(does, f"{address} to say: {', '.join(words)}")
