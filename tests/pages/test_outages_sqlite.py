"""Laws of a door whose SQLite file is lost under it: moved away, or overwritten. SQLite itself notices neither: it goes
on with what it has open, and what is in its memory."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from dev.stack import Stack
from gateway_shadow.outages import MEANING
from tests.door.browser import Browser
from tests.door.conftest import Door, make
from tests.engine.scenes import TENANT
from tests.live.waiting import until
from tests.pages.conftest import browser_of
from tests.pages.reader import read

PAGES = ("/", "/shadow", "/reviews", "/policies", "/gate", "/settings")
ROUTES = ("/v1/policies", "/v1/enforcement", "/v1/keys", "/v1/reviews", "/v1/simulations")
AWAY = "The policy store does not answer."


@pytest.fixture(scope="module")
def door(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    found = make(stack.bootstrap, tmp_path_factory.mktemp("lost"))
    found.start()
    yield found
    found.close()


@pytest.fixture(scope="module")
def operator(door: Door) -> Iterator[tuple[Browser, httpx.Client]]:
    """Somebody's browser, and a program of theirs, whom the door knows; the test's own connection is closed then."""
    with door.as_("operator", "a-program", TENANT) as client:
        browser = browser_of(door, "operator")
        assert browser.get("/").status_code == client.get("/v1/keys").status_code == 200
        door.database.close()
        yield browser, client
        browser.close()


def moved_away(file: Path) -> Callable[[], None]:
    hidden = file.parent / "elsewhere"
    hidden.mkdir()
    for each in file.parent.glob("store.db*"):
        each.rename(hidden / each.name)

    def back() -> None:
        assert not file.exists()  # nobody has begun another one
        for each in hidden.iterdir():
            each.rename(file.parent / each.name)
        hidden.rmdir()

    return back


def overwritten(file: Path) -> Callable[[], None]:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = file.read_bytes()

    def write(content: bytes) -> None:
        with file.open("r+b") as opened:
            opened.write(content)

    write(b"no database of anybody " * (len(before) // 23))
    return lambda: write(before)


@pytest.mark.parametrize("lose", [moved_away, overwritten])
def test_a_lost_file_is_told_on_every_page_and_route_until_it_is_back(
    door: Door, operator: tuple[Browser, httpx.Client], lose: Callable[[Path], Callable[[], None]]
) -> None:
    browser, client = operator
    begun = datetime.now(UTC).replace(microsecond=0)
    back = lose(door.folder / "store.db")
    try:
        until(lambda: AWAY in browser.get("/").text, "the page to say what is away")
        for address in PAGES:
            page = browser.get(address).text
            assert read(page).found() == [], address
            assert "What is enforced cannot be read now." in page, address
            assert "Shadow only" not in page, address
            assert MEANING["policies"] in page, address
            since = re.search(rf'{re.escape(AWAY)}\s+Since <time datetime="([^"]+)"', page)
            assert since is not None, address
            assert begun <= datetime.fromisoformat(since[1]) <= datetime.now(UTC), address
        for address in ROUTES:
            answer = client.get(address)
            said = answer.json()
            assert (answer.status_code, said["type"]) == (503, "urn:spendgate:problem:store_away"), address
            assert said["detail"].startswith("store: the database's file is"), address
            assert said["meaning"] == MEANING["policies"], address
            assert begun <= datetime.fromisoformat(said["since"]) <= datetime.now(UTC), address
        assert client.get("/health/ready").status_code == 503
    finally:
        back()
    until(lambda: "Shadow only" in browser.get("/").text, "the page to say what is enforced")
    assert all(browser.get(address).status_code == 200 for address in PAGES)
    assert all(client.get(address).status_code == 200 for address in ROUTES)
    assert "Traceback" not in door.output.read_text()
