"""Laws of every page: who may see it, what its headers say, that its HTML is sound, that nothing of others shows."""

import re
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
from tests.live.waiting import in_time
from tests.pages.addresses import OPEN, PAGES, Page
from tests.pages.conftest import ROLES, browser_of
from tests.pages.reader import read

every_page = pytest.mark.parametrize("page", PAGES, ids=[each.route for each in PAGES])
WITHIN_S = 5.0
"""On a quiet machine a page takes a fiftieth of this."""
FOR_SCRIPTS = {"/design-seen"}
Visit = Callable[[Role, Page], httpx.Response]


@pytest.fixture(scope="module")
def visit(browsers: dict[Role, Browser], ids: Callable[[str], str]) -> Visit:
    """Opens a page as a role, once."""
    return cache(lambda role, page: browsers[role].get(ids(page.address)))


def who(page: Page) -> Role:
    """Somebody who may read it."""
    return "editor" if page.right == "edit" else "operator"


def routes() -> list[APIRoute]:
    found = [each for router in ROUTERS if router is not assets.router for each in router.routes]
    return [each for each in found if isinstance(each, APIRoute)]


def test_every_page_is_tested_here() -> None:
    shown = {each.path for each in routes() if "GET" in (each.methods or ())} - FOR_SCRIPTS - OPEN
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


def test_every_link_of_a_page_that_somebody_sees_is_open_to_them(visit: Visit, browsers: dict[Role, Browser]) -> None:
    roles: tuple[Role, ...] = ("viewer", "operator", "editor")
    for role in roles:
        pages = [visit(role, page) for page in PAGES if page.right in RIGHTS[role]]
        links = {each.partition("#")[0] for page in pages for each in read(page.text).links}
        some_of_a_kind = {urlsplit(each).path: each for each in sorted(links) if each.startswith("/")}
        shut = {each for each in some_of_a_kind.values() if browsers[role].get(each).status_code != 200}
        assert shut == set()


@every_page
def test_the_state_of_enforcement_stands_on_every_page(visit: Visit, page: Page) -> None:
    assert "Shadow only: nothing is blocked." in visit(who(page), page).text


def test_no_page_shows_a_secret_or_what_is_another_tenants(
    house: Door, visit: Visit, browsers: dict[Role, Browser], ids: Callable[[str], str]
) -> None:
    session = browsers["operator"].cookies.get("spendgate") or ""
    assert "." in session
    with closing(browser_of(house, "operator", tenant="somebody-else")) as other:
        for page in PAGES:
            text = visit(who(page), page).text
            assert session.partition(".")[2] not in text, page
            assert re.search("sg[ks]_[0-9A-Za-z]{8}|whsec_|a-path-that-is-a-secret", text) is None, page
            told = other.get(ids(page.address))
            assert told.status_code in (200, 403, 404), page
            assert not any(each in told.text for each in ("finance", "over cap", ">e1", "the-editor", "amy")), page


def test_a_page_is_not_in_the_document_of_the_api(house: Door) -> None:
    paths = httpx.get(f"{house.url}/openapi.json", timeout=60).json()["paths"]
    assert not {each.path for each in routes()} & paths.keys()


def test_every_asset_is_ours_small_and_kept(house: Door, browsers: dict[Role, Browser]) -> None:
    page = browsers["editor"].get("/design")
    total, addresses = len(page.content), set(re.findall(r'"(/assets/[^"]+)"', page.text))
    assert len(addresses) == 8
    for address in addresses:
        answer = httpx.get(house.url + address)
        assert (answer.status_code, "immutable" in answer.headers["cache-control"]) == (200, True)
        total += len(answer.content)
    assert httpx.get(f"{house.url}/assets/0/nothing.js").status_code == 404
    assert total < 200_000


def test_nothing_of_the_door_comes_from_another_host(house: Door, browsers: dict[Role, Browser]) -> None:
    with Browser(house) as nobody:
        shown = [(each, nobody.get(each)) for each in (*OPEN, "/login", "/redoc", "/docs/oauth2-redirect", "/nothing")]
    shown += [("/docs", browsers["viewer"].get("/docs"))]
    for address, answer in shown:
        assert re.findall(r"(?:src|href|action|srcset)=[\"']?(?:https?:)?//|@import|url\(", answer.text) == [], address
        assert address not in OPEN or (answer.status_code, read(answer.text).found()) == (200, [])
        assert address not in OPEN or {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    text = shown[0][1].text
    paths = httpx.get(f"{house.url}/openapi.json", timeout=60).json()["paths"]
    assert [each for each in paths if f"<code>{each}</code>" not in text] == []


def forms() -> list[str]:
    """What a form may be sent to."""
    return [re.sub(r"{\w+}", "x", each.path) for each in routes() if "POST" in (each.methods or ())]


def test_who_may_only_read_changes_nothing_by_any_form(browsers: dict[Role, Browser]) -> None:
    viewer, token = browsers["viewer"], browsers["viewer"].token
    found = {each: viewer.submit(each, csrf_token=token).status_code for each in forms()}
    assert set(found.values()) == {403}, found


def test_no_form_is_taken_without_its_token_or_from_a_page_of_another_site(browsers: dict[Role, Browser]) -> None:
    for role in ROLES:
        browser, token = browsers[role], browsers[role].token
        for each in forms():
            assert browser.submit(each, csrf_token="").status_code == 403, each
        foreign = {**browser.own_page, "Origin": "https://example.com", "Sec-Fetch-Site": "cross-site"}
        assert browser.post("/gate/off", data={"csrf_token": token}, headers=foreign).status_code == 403


@every_page
def test_no_page_takes_long(browsers: dict[Role, Browser], ids: Callable[[str], str], page: Page) -> None:
    def took_s() -> float:
        begun = time.monotonic()
        browsers[who(page)].get(ids(page.address))
        return time.monotonic() - begun

    in_time(took_s, WITHIN_S)
