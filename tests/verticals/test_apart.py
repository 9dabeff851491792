"""Nothing in the product knows a vertical: none of its names stands there, and nothing there imports one."""

import re
from functools import cache
from pathlib import Path

import pytest

from dev.verticals.days import live_day
from dev.verticals.shelf import chosen, names
from tests.verticals.days import END, TENANT

ROOT = Path(__file__).parents[2]
PRODUCT = ("spendgate", "agents", "gateway_shadow", "policy_store", "window_counters", "content_store", "telemetry")
OWN = ("team", "workflow", "agent", "customer", "feature", "project")
"""Fields whose values a vertical makes up; models and outcomes are everybody's."""


def words_of(name: str) -> set[str]:
    """Names of the vertical that nobody else would come up with: those that a hyphen makes of two words."""
    found = chosen(name)
    events = [step.event for step in live_day(found.vertical, TENANT, 7, END)]
    values = {getattr(event, field) for event in events for field in OWN} | {name, found.vertical.workflow}
    return {value for value in values if value is not None and "-" in value} | {"verticals"}


@cache
def tokens() -> dict[str, frozenset[str]]:
    """The words of each module of the product; but of the one command that shows a vertical on request."""
    paths = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    known = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    del known["spendgate/cli/demo.py"]
    return {path: frozenset(re.findall(r"[\w-]+", text)) for path, text in known.items()}


@pytest.mark.parametrize("name", names())
def test_no_module_of_the_product_names_a_vertical_or_anything_of_it(name: str) -> None:
    words = words_of(name)
    assert len(words) > 10
    assert {path: found for path, said in tokens().items() if (found := said & words)} == {}


def test_the_command_that_shows_one_names_none() -> None:
    text = (ROOT / "spendgate/cli/demo.py").read_text(encoding="utf-8")
    assert not [name for name in names() if re.search(rf"\b{name}\b", text)]
