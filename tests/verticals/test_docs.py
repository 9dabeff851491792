"""The vertical that the docs write is one: it is read, its day is taken by the log, and every situation comes up."""

import re
from pathlib import Path

from dev.verticals.days import live_day
from dev.verticals.shelf import chosen
from spendgate.prices.book import PriceBook
from tests.ledger.reading import is_taken
from tests.verticals.days import END, TENANT

DOCS = Path(__file__).parents[2] / "docs" / "verticals.md"
POLICY = """
apiVersion: spendgate/v1
kind: Policy
metadata: {name: agent-day}
spec: {rules: [{budget: {cap_usd: "2", window: {calendar: day}, per: [agent], on_breach: deny}}]}
"""


def test_the_vertical_of_the_docs_is_one(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code.splitlines()) <= 50
    (tmp_path / "policies").mkdir()
    (tmp_path / "claims.py").write_text(code)
    (tmp_path / "policies" / "agent-day.yaml").write_text(POLICY)
    found = chosen(str(tmp_path))
    steps = live_day(found.vertical, TENANT, 7, END)
    assert all(is_taken(step.event) for step in steps)
    assert any(step.asks for step in steps)
    book = PriceBook()
    assert all(book.card(e.vendor, e.model, e.time) for step in steps if (e := step.event).kind == "call")
