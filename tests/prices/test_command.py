"""``spendgate prices``: what it shows, what it refuses, and what it exits with."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spendgate.cli.prices import app, prices_at
from spendgate.failure import Failure
from spendgate.prices.book import PriceBook

EXAMPLE = Path(__file__).parents[2] / "examples" / "prices" / "acme.yaml"


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def run_json(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    code, output = run(*arguments, "--json")
    return code, json.loads(output.splitlines()[0])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.yaml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8").replace('"0.24"', "0.24"), encoding="utf-8")
    return path


def test_a_price_is_shown_with_its_tiers_and_its_origin() -> None:
    code, shown = run_json("show", "claude-sonnet-4-5", "--vendor", "anthropic", "--at", "2026-10-01")
    [price] = shown["prices"]
    assert code == 0
    assert price["origin"] == "list price of anthropic claude-sonnet-4-5"
    assert [(band["over_input_tokens"], band["per_million_tokens_usd"]["cached_input"]) for band in price["bands"]] == [
        (0, "0.3"),
        (200_000, "0.6"),
    ]


def test_the_table_goes_before_the_list() -> None:
    _, shown = run_json("show", "gpt-4o", "--vendor", "openai", "--at", "2026-10-01", "--book", EXAMPLE)
    [price] = shown["prices"]
    assert price["origin"] == "own prices[0]: list price of openai gpt-4o less 12.5%"
    assert price["bands"][0]["per_million_tokens_usd"]["input"] == "2.1875"
    assert shown["book"] == PriceBook.load(EXAMPLE).hash


def test_without_a_vendor_all_that_have_the_model_are_shown() -> None:
    assert [each["vendor"] for each in run_json("show", "gpt-4o")[1]["prices"]] == ["openai"]
    assert [each["vendor"] for each in run_json("show", "chat-prod", "--book", EXAMPLE)[1]["prices"]] == ["azure"]


def test_people_see_the_same_numbers() -> None:
    code, output = run("show", "gpt-4o", "--vendor", "openai", "--at", "2026-10-01")
    assert code == 0
    assert "2.5" in output
    assert "1.25" in output


def test_a_model_without_a_price_is_said_and_exits_1() -> None:
    code, output = run("show", "no-such-model", "--vendor", "openai")
    assert (code, output.count("\n")) == (1, 1)
    assert "no price for this model" in output


@pytest.mark.parametrize("at", ["soon", "0001-01-01", "2200-01-01", "2026-13-01"])
def test_a_time_that_is_none_is_wrong_usage(at: str) -> None:
    code, output = run("show", "gpt-4o", "--at", at)
    assert code == 2
    assert "--at: expected" in output


def test_prices_at_takes_a_day_today_or_a_table() -> None:
    now, day = datetime(2026, 11, 24, 9, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
    own, listed = PriceBook.load(EXAMPLE).hash, PriceBook.load().hash
    asked = [("today", None), ("today", EXAMPLE), ("2026-07-01", EXAMPLE), (str(EXAMPLE), None)]
    found = [prices_at(text, now, table) for text, table in asked]
    assert [(book.hash, at) for book, at in found] == [(listed, now), (own, now), (own, day), (own, None)]
    with pytest.raises(Failure, match=r"--prices-at: expected a day .*, 'today' or a price table"):
        prices_at("yesterday", now)


def test_a_sound_table_is_named_by_its_books_hash() -> None:
    code, shown = run_json("check", EXAMPLE)
    assert (code, shown["ok"], shown["errors"]) == (0, True, [])
    assert shown["book"] == PriceBook.load(EXAMPLE).hash
    assert run("check", EXAMPLE)[1] == f"{EXAMPLE}: 5 prices, book {shown['book']}\n"


def test_a_broken_table_is_refused_with_places(broken: Path) -> None:
    words = "prices[3].per_million_tokens.output_usd: expected dollars as a quoted string"
    code, output = run("check", broken)
    assert code == 1
    assert f"{broken}:23:57: {words}" in output
    code, shown = run_json("check", broken)
    assert (code, shown["book"], [each["line"] for each in shown["errors"]]) == (1, None, [23])
    code, output = run("show", "gpt-4o", "--book", broken)
    assert code == 2
    assert words in output


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    for arguments in (["check"], ["show", "gpt-4o", "--book"]):
        code, output = run(*arguments, tmp_path / "none")
        assert (code, output.count("\n")) == (2, 1)
