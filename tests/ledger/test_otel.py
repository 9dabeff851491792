"""Spans: calls to models only, under old and new names, cached tokens counted once, and no content."""

import json
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_options import parse_mapping
from spendgate.ledger.reader_otel import CONTENT
from spendgate.ledger.readers import InputError, Reading, ReadOptions
from tests.ledger.foreign import SECRET, everything, span, spans
from tests.ledger.reading import is_taken, read

NEW: dict[str, Any] = {
    "gen_ai__operation__name": "chat", "gen_ai__provider__name": "anthropic", "gen_ai__request__model": "claude",
    "gen_ai__response__model": "claude-1", "gen_ai__usage__input_tokens": 100, "gen_ai__usage__output_tokens": 7,
    "gen_ai__usage__cache_read__input_tokens": 60,
}  # fmt: skip
OLD: dict[str, Any] = {
    "llm__request__type": "chat", "gen_ai__system": "Anthropic", "gen_ai__request__model": "claude",
    "gen_ai__response__model": "claude-1", "gen_ai__usage__prompt_tokens": 100, "gen_ai__usage__completion_tokens": 7,
    "gen_ai__usage__cache_read_input_tokens": 60,
}  # fmt: skip


def test_old_and_new_names_give_the_same_call() -> None:
    [new], _ = read(spans(span(**NEW)))
    [old], _ = read(spans(span(**OLD)))
    assert new == old
    assert is_taken(new)
    assert (new.id, new.time.isoformat()) == (
        "5b8efff798038103d269b633813fc60c-0000000000000001", "2025-11-05T09:00:00.123456+00:00",
    )  # fmt: skip
    assert (new.vendor, new.model, new.model_requested, new.project) == ("anthropic", "claude-1", "claude", "shop")
    assert (new.input_tokens, new.cached_input_tokens, new.output_tokens, new.latency_ms) == (100, 60, 7, 1500)
    assert (new.cost_nano_usd, new.cost_source, new.status) == (None, "unpriced", "ok")


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 1000))
def test_no_token_is_counted_twice(given_tokens: int, cached: int, written: int) -> None:
    attributes = {"gen_ai__usage__input_tokens": given_tokens, "gen_ai__usage__cache_read__input_tokens": cached,
                  "gen_ai__usage__cache_creation__input_tokens": written}  # fmt: skip
    [event], _ = read(spans(span(**{**NEW, **attributes})))
    beside = given_tokens < cached + written
    assert event.input_tokens == given_tokens + (cached + written if beside else 0)


@pytest.mark.parametrize("operation", ["invoke_agent", "execute_tool", "invoke_workflow", "create_agent", "retrieval"])
def test_a_span_that_is_no_call_is_passed_over(operation: str) -> None:
    raw = spans(span(1, **{**NEW, "gen_ai__operation__name": operation}), span(2, 1, **NEW))
    events, refused = read(raw)
    assert ([event.id[-1] for event in events], refused) == (["2"], [])


def test_of_a_call_within_a_call_the_inner_one_counts() -> None:
    raw = spans(span(1, **NEW), span(2, 1, name="step"), span(3, 2, **NEW), span(4, **NEW))
    assert [event.id[-1] for event in read(raw)[0]] == ["3", "4"]


def test_each_line_is_a_document_and_a_bad_one_stops_nothing() -> None:
    raw = spans(span(1, **NEW)) + b'\n{"resourceSpans": 7}\n{"resourceSpans": [\n' + spans(span(2, **NEW)) + b"\n"
    events, refused = read(raw)
    assert [event.id[-1] for event in events] == ["1", "2"]
    assert [one.line for one in refused] == [2, 3]


def test_a_document_over_many_lines_is_read() -> None:
    raw = json.dumps(json.loads(spans(span(1, **NEW), span(2, **NEW))), indent=2).encode()
    assert len(read(raw)[0]) == 2


@given(st.sampled_from(CONTENT), st.sampled_from(["", ".0.content"]), st.booleans())
def test_no_content_is_ever_shown_and_its_field_is_named(field: str, more: str, broken: bool) -> None:
    attributes: dict[str, Any] = {**NEW, f"{field}{more}": SECRET}
    if broken:
        attributes["gen_ai__usage__input_tokens"] = SECRET
    spoken = span(1, **attributes) | {"events": [{"name": "gen_ai.user.message", "attributes": [SECRET]}]}
    raw = spans(spoken, span(2, **attributes))
    assert "SENTINEL" not in everything(raw)
    reading = Reading(BytesIO(raw), ReadOptions())
    assert len(list(reading)) == 2
    assert reading.dropped == [field, "events"]


def test_owners_come_from_attributes_or_a_mapping_but_never_from_content() -> None:
    raw = spans(span(**NEW, spendgate__team="Legal & Co", cost_centre="42"))
    [event], _ = read(raw, ReadOptions(mapping=parse_mapping("feature=cost_centre")))
    assert (event.team, event.feature) == ("Legal%20&%20Co", "42")
    with pytest.raises(InputError, match="holds no content"):
        read(raw, ReadOptions(mapping=parse_mapping("task=gen_ai.prompt.0.content")))


def test_a_refused_span_stands_for_its_money() -> None:
    attributes = {**NEW, "gen_ai__response__model": "two words", "gen_ai__usage__cost": 0.25}
    _, [refused] = read(spans(span(**attributes)))
    assert (refused.field, refused.cost_nano_usd) == ("model", 250_000_000)
