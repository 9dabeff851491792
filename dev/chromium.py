"""Debian's Chromium, driven: for tests and benches of the dashboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from dev.trial.waiting import until

CHROMIUM = Path("/usr/bin/chromium")
WAIT_MS = 60_000
HEIGHT = 900


@contextmanager
def launched() -> Iterator[Browser]:
    """One that is closed in the end, with every page of it."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield found
        found.close()


def signed_in(
    chromium: Browser, url: str, key: str, theme: Literal["light", "dark"] = "light", width: int = 1280
) -> Page:
    """A page of somebody, with a session and a cache of their own, which ends with ``chromium``."""
    context = chromium.new_context(
        base_url=url, color_scheme=theme, viewport={"width": width, "height": HEIGHT}
    )  # fmt: skip
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto("/login?next=/settings")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in with a key").click()
    page.wait_for_url("**/settings")
    return page


def wait_counted(page: Page, address: str) -> None:
    """Wait until what a page shows is counted: until then it comes again by itself, whatever one does meanwhile."""
    until(lambda: "refresh" not in page.request.get(address).headers, f"{address} to be counted", WAIT_MS / 1000)
