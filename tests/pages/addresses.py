"""Every page: its route, an address of it in the door of these tests, and who may read it."""

from typing import NamedTuple

from gateway_shadow.callers import Right


class Page(NamedTuple):
    """``route``: as the program spells it."""

    route: str
    address: str
    right: Right = "read"


PAGES = (
    Page("/", "/"),
    Page("/shadow", "/shadow"),
    Page("/shadow/story", "/shadow/story?source=app&id=e17"),
)
