"""Laws of every page: who may see it, what its headers say, that its HTML is sound, that nothing of others shows."""

import time
from collections.abc import Callable
from contextlib import closing
from functools import cache
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.routing import APIRoute

from gateway_shadow.callers import RIGHTS
from gateway_shadow.pages import assets
from gateway_shadow.pages.rendering import HEADERS
from gateway_shadow.pages.routes import PAGES as ROUTERS
from policy_store.api_keys import Role
from tests.door.browser import Browser
from tests.door.conftest import Door
from tests.pages.addresses import PAGES, Page
from tests.pages.conftest import ROLES, browser_of
from tests.pages.reader import read

every_page = pytest.mark.parametrize("page", PAGES, ids=[each.route for each in PAGES])
WITHIN_S = 5.0
"""On a quiet machine a page takes a fiftieth of this."""
Visit = Callable[[Role, Page], httpx.Response]


@pytest.fixture(scope="module")
def visit(browsers: dict[Role, Browser], ids: Callable[[str], str]) -> Visit:
    """Opens a page as a role, once."""
    return cache(lambda role, page: browsers[role].get(ids(page.address)))


def routes() -> list[APIRoute]:
    found = [each for router in ROUTERS if router is not assets.router for each in router.routes]
    return [each for each in found if isinstance(each, APIRoute)]


def test_every_page_is_tested_here() -> None:
    shown = {each.path for each in routes() if "GET" in (each.methods or ())}
    assert shown == {each.route for each in PAGES}


@every_page
@pytest.mark.parametrize("role", ROLES)
def test_a_page_is_for_whom_the_api_would_answer_and_for_nobody_else(visit: Visit, role: Role, page: Page) -> None:
    answer = visit(role, page)
    assert answer.status_code == (200 if page.right in RIGHTS[role] else 403), answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert read(answer.text).found() == []


@every_page
def test_who_is_not_signed_in_is_led_there_and_back(house: Door, page: Page) -> None:
    with Browser(house) as nobody:
        answer = nobody.get(page.address)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).path == "/login"


@every_page
def test_a_senders_key_opens_no_page(house: Door, page: Page) -> None:
    with house.as_("ingest", accept="text/html") as sender:
        assert sender.get(page.address).status_code == 403


@every_page
def test_the_state_of_enforcement_stands_on_every_page(visit: Visit, page: Page) -> None:
    assert "Shadow only: nothing is blocked." in visit("operator", page).text


def test_no_page_shows_a_secret_or_what_is_another_tenants(
    house: Door, visit: Visit, browsers: dict[Role, Browser], ids: Callable[[str], str]
) -> None:
    session = browsers["operator"].cookies.get("spendgate") or ""
    assert session
    with closing(browser_of(house, "operator", tenant="somebody-else")) as other:
        for page in PAGES:
            text = visit("operator", page).text
            assert not any(each in text for each in ("sgk_", session, session.partition("_")[2])), page
            told = other.get(ids(page.address))
            assert told.status_code in (200, 404), page
            assert not any(each in told.text for each in ("team-day", "over cap", ">e1", "the-editor")), page


def test_a_page_is_not_in_the_document_of_the_api(house: Door) -> None:
    paths = httpx.get(f"{house.url}/openapi.json").json()["paths"]
    assert not {each.path for each in routes()} & paths.keys()


def test_every_asset_is_ours_small_and_kept(house: Door, browsers: dict[Role, Browser]) -> None:
    page = browsers["viewer"].get("/shadow")
    total = len(page.content)
    for name in ("page.css", "page.js", "shadow.js", "mark.svg"):
        address = assets.address_of(name)
        answer = httpx.get(house.url + address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        total += len(answer.content)
    assert httpx.get(f"{house.url}/assets/0/nothing.js").status_code == 404
    assert total < 200_000


@every_page
def test_no_page_takes_long(browsers: dict[Role, Browser], ids: Callable[[str], str], page: Page) -> None:
    begun = time.monotonic()
    browsers["operator"].get(ids(page.address))
    assert time.monotonic() - begun < WITHIN_S
