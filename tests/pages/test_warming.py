"""Laws of what is prepared behind a door's start."""

from types import SimpleNamespace
from typing import Any

from gateway_shadow.pages.rendering import TEMPLATES
from gateway_shadow.pages.warming import warm_pages


def test_every_template_and_the_document_are_ready_though_the_ledger_is_none() -> None:
    built: list[str] = []
    without_ledger: Any = SimpleNamespace(config=SimpleNamespace(ledger=None))
    cache: Any = TEMPLATES.cache
    cache.clear()
    warm_pages(without_ledger, lambda: built.append("the document"))
    assert built == ["the document"]
    assert len(cache) == len(TEMPLATES.list_templates())
