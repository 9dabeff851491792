"""The page works offline, says what the report says, and nothing in it can act as markup."""

import re
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import pytest

from spendgate.simulate.html_report import page_of, write_html
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.report import encode
from spendgate.simulate.sweep import sweep_section
from tests.engine.scenes import budget, call, policy
from tests.simulate.drawn_files import write_events

DAY = {"calendar": "day", "timezone": "UTC"}
EVIL = "</script><img/src=x>"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    which = policy(budget("2", DAY, per=["team"]))
    events = [call(timedelta(minutes=n), f"e{n}", team="red", outcome="accepted") for n in range(5)]
    path = write_events(tmp_path_factory.mktemp("page") / "events.jsonl", events)
    sections = {"sweep": sweep_section("cap=1:5:1", [which])}
    command = ["spendgate", "simulate"]
    return run_job(Job(command, [which], Source(events=path), sections=sections, with_lint=True, with_timeline=True))


def own_part(page: str) -> str:
    """The page without plotly's own script."""
    return re.sub(r"<script>/\*\*.*?</script>", "", page, flags=re.DOTALL)


def test_the_same_report_is_the_same_page(report: dict[str, Any]) -> None:
    assert page_of(report) == page_of(msgspec.json.decode(encode(report)))


def test_nothing_is_loaded_from_anywhere(report: dict[str, Any]) -> None:
    page = page_of(report)
    assert not re.search(r"<(script|img|link|iframe)[^>]*\s(src|href)=", page)
    assert "Plotly" in page
    assert "http" not in own_part(page)


def test_every_verdict_and_dollar_of_the_headline_is_there(report: dict[str, Any]) -> None:
    page = own_part(page_of(report))
    assert "Would have denied <b>3</b> calls worth <b>$3.00</b>" in page
    for verdict in ("approve", "warn", "review", "deny"):
        assert f"<td>{verdict}</td>" in page


def test_no_name_can_act_as_markup(report: dict[str, Any]) -> None:
    evil = msgspec.json.decode(encode(report).replace("red", EVIL.replace('"', "'")))
    evil["command"] = ["spendgate", EVIL]
    page = own_part(page_of(evil))
    assert EVIL not in page
    assert escape(EVIL) in page


def test_charts_have_words_for_who_cannot_see_them(report: dict[str, Any]) -> None:
    page = own_part(page_of(report))
    assert page.count('role="img" aria-label="') == page.count('<div class="chart"') >= 5


def test_a_page_is_whole_or_not_there(report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="space"):
        write_html(report, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
