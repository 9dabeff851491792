"""The dashboard of a tenant that is busy today: twenty thousand calls of a month, 200 policies, a review that waits.
Whatever the window's width, no text leaves its place or stands over another one. It makes the pictures of the docs that
need something to show: ``SPENDGATE_PICTURES=docs/images``."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from bench.pages_browser import browsing
from bench.pages_data import make_house
from bench.pages_house import Opened, opened
from dev.chromium import CHROMIUM, WAIT_MS, wait_counted
from dev.demo_gate.month import month_of
from dev.stack import Stack
from peers.layout import crowded, faint
from tests.live.waiting import until
from tests.stack import new_directory, run_directory, stack

__all__ = ["new_directory", "run_directory", "stack"]

EVENTS = 20_000
QUIET = timedelta(minutes=5)
PICTURES = os.environ.get("SPENDGATE_PICTURES")
WIDTHS = (320, 1280, 3840)
ADDRESSES = (
    "/", "/budgets", "/shadow", "/reviews", "/policies", "/policies/t20-month", "/design/t20-month", "/simulations/JOB",
    "/gate", "/gate/STAGING", "/ledger", "/audit",
)  # fmt: skip
OF_EDITORS = ("/design/t20-month",)
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


def has_calls() -> bool:
    """Whether so much of the month has passed that there are calls of it, of which there is one in two minutes."""
    return month_of(datetime.now(UTC)) < datetime.now(UTC) - QUIET


@pytest.fixture(scope="module")
def here(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("busy")
    until(has_calls, "the month to have calls", 2 * QUIET.total_seconds())
    with opened(folder, stack, make_house(folder / "made", EVENTS)) as found:
        yield found


@pytest.fixture(scope="module")
def pages(here: Opened) -> Iterator[tuple[Page, Page]]:
    """Of an operator and of an editor."""
    with browsing(here) as found:
        yield found


def test_no_text_leaves_its_place_however_wide_the_window_is(here: Opened, pages: tuple[Page, Page]) -> None:
    operator, editor = pages
    found: dict[str, list[str]] = {}
    for width in WIDTHS:
        for name in ADDRESSES:
            page = editor if name in OF_EDITORS else operator
            page.set_viewport_size({"width": width, "height": 900})
            counted(page, name.replace("JOB", here.job).replace("STAGING", here.staging))
            if wrong := crowded(page):
                found[f"{name} at {width}"] = wrong[:5]
    assert not found


def test_the_overview_and_a_draft_show_what_the_tenant_spends(pages: tuple[Page, Page]) -> None:
    operator, editor = pages
    for each in pages:
        each.set_viewport_size({"width": 1280, "height": 900})
        each.emulate_media(color_scheme="light")
    counted(operator, "/")
    expect(operator.locator(".tile").first).not_to_contain_text("$0.00")
    picture(operator, "overview")
    operator.emulate_media(color_scheme="dark")
    expect(operator.get_by_role("button", name="Light theme")).to_be_visible()
    picture(operator, "overview-dark")
    counted(editor, "/design/t05-month")
    expect(editor.locator("#simulation .tile").first).not_to_contain_text("$0.00")
    picture(editor, "design", full_page=True)


def test_while_one_drags_the_cap_its_sum_stands_beside_the_form(pages: tuple[Page, Page]) -> None:
    page = pages[1]
    page.set_viewport_size({"width": 1280, "height": 900})
    counted(page, "/design/t05-month")
    glance, handle = page.locator("#glance"), page.locator("#caphandle")
    before = glance.text_content() or ""
    assert re.search(r"denied \$[0-9.,]+ .*, and with it [0-9,]+ of [1-9][0-9,]* accepted results", before)
    with page.expect_response("**/design-simulation"):
        handle.press("ArrowRight")
    expect(page.locator("#simulation")).not_to_have_attribute("aria-busy", "true")
    expect(glance).not_to_have_text(before)
    expect(page.locator("output")).to_have_text(handle.get_attribute("aria-valuetext") or "nothing is said")
    page.get_by_label("The same as YAML").scroll_into_view_if_needed()
    expect(glance).to_be_in_viewport()
    page.get_by_role("button", name="Remove rule 1").scroll_into_view_if_needed()
    expect(glance).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_numbers_of_the_calendar_can_be_read_in_both_themes(
    pages: tuple[Page, Page], scheme: Literal["light", "dark"]
) -> None:
    page = pages[1]
    page.emulate_media(color_scheme=scheme)
    counted(page, "/design/t05-month")
    assert page.locator(".days rect.l1, .days rect.l2, .days rect.l3, .days rect.l4").count() > 3
    assert faint(page) == []
    page.evaluate("for (const each of document.querySelectorAll('.days text')) each.style.fill = '#888'")
    assert faint(page)


def test_text_over_text_or_out_of_its_place_is_seen(pages: tuple[Page, Page]) -> None:
    page = pages[0]
    page.goto("/settings")
    assert crowded(page) == []
    page.evaluate("document.querySelector('main').innerHTML = `<p id=a>one two</p><p id=b>three</p>`")
    assert crowded(page) == []
    page.evaluate("document.querySelector('#b').style.marginTop = '-2.4rem'")
    assert crowded(page) == ['"three" and "one two" overlap']
    page.evaluate("document.querySelector('#b').remove()")
    page.evaluate("document.querySelector('#a').style.cssText = 'width: 1px; overflow-wrap: normal'")
    assert crowded(page) == ['"one two" runs out of its place']
    page.evaluate("document.querySelector('#a').style.cssText += '; overflow: hidden'")
    assert '"one two" is cut off' in crowded(page)


def counted(page: Page, address: str) -> None:
    """Go there, and wait until what is counted or drawn behind the page is there."""
    wait_counted(page, address)
    page.goto(address)
    if address.startswith("/design/"):
        expect(page.locator("#simulation .tiles")).to_be_visible(timeout=WAIT_MS)


def picture(page: Page, name: str, *, full_page: bool = False) -> None:
    """A picture for the docs, where they are made."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=full_page)
