"""Debian's Chromium for tests of the dashboard: started once a module, with people who are signed in, and a look at one
page in every theme and width."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from dev.chromium import HEIGHT, launched
from peers.layout import crowded


class View(NamedTuple):
    """How somebody looks at a page. ``chosen``: by the page's own button, against the browser's."""

    name: str
    scheme: Literal["light", "dark"] = "light"
    forced: Literal["active", "none"] = "none"
    chosen: str = ""
    width: int = 1280


_THEMES = (
    View("light"), View("dark", "dark"), View("chosen dark", "light", chosen="dark"),
    View("chosen light", "dark", chosen="light"), View("forced colours", forced="active"),
)  # fmt: skip
VIEWS = tuple(each._replace(width=width) for each in _THEMES for width in (320, 1280))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as found:
        yield found


def unsound(page: Page) -> list[str]:
    """What axe-core finds on the page as it is shown now, and text that is not in its place."""
    violations = Axe().run(page).response["violations"]
    found = [f"{each['id']}: {[node['html'][:100] for node in each['nodes'][:2]]}" for each in violations]
    return found + crowded(page)


def unsound_in_any_view(page: Page) -> list[str]:
    """The same in every theme and width, without loading it again: what is shown is the same page."""
    found = []
    for view in VIEWS:
        page.set_viewport_size({"width": view.width, "height": HEIGHT})
        page.emulate_media(color_scheme=view.scheme, forced_colors=view.forced)
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", view.chosen)
        found += [f"{view.name} at {view.width}: {each}" for each in unsound(page)]
    return found
