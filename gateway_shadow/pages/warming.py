"""What the first visit to a page would wait for, done behind the door's start: its templates, the API's document, and
the ledger, opened once. Nobody waits for it, and it gives way between its pieces."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from gateway_shadow.ledger.read_ledger import reading
from gateway_shadow.pages.rendering import TEMPLATES
from gateway_shadow.parts import Parts
from gateway_shadow.problems import Problem

log = logging.getLogger(__name__)

BETWEEN_S = 0.005


def warm_pages(parts: Parts, openapi: Callable[[], Any]) -> None:
    """Do it all; what fails fails again, and is told, where somebody asks for it. ``openapi``: builds the document."""
    for each in _pieces(parts, openapi):
        try:
            each()
        except Problem:
            pass  # no ledger yet, or it is away
        except Exception as error:  # noqa: BLE001 - a page says what is the matter with it
            log.warning("a page is not prepared: %s", type(error).__name__)
        time.sleep(BETWEEN_S)


def _pieces(parts: Parts, openapi: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    yield partial(_open, parts)
    for name in TEMPLATES.list_templates():
        yield partial(TEMPLATES.get_template, name)
    yield openapi


def _open(parts: Parts) -> None:
    with reading(parts, "events", "decisions", "rejections"):
        pass
