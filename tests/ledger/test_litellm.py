"""LiteLLM: rows of its table in every form give the same calls, dollars by their digits, and no content."""

import csv
import json
from decimal import ROUND_HALF_EVEN, Decimal
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_litellm import CONTENT
from spendgate.ledger.readers import Reading, ReadOptions, Refused
from spendgate.model.event import Event
from tests.ledger.foreign import SECRET, content, everything, litellm_row
from tests.ledger.reading import is_taken, read

SAMPLE = Path(__file__).parents[2].parent / "shared" / "data" / "litellm_generic_api_batch.json"


def one(**changes: Any) -> Event:
    [event], refused = read(json.dumps(litellm_row(**changes)).encode())
    assert not refused
    assert is_taken(event)
    return event


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow({k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()})
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    texts = [{k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()} for row in rows]
    sink = BytesIO()
    pq.write_table(pa.Table.from_pylist(texts), sink)
    return sink.getvalue()


def test_a_row_becomes_a_call() -> None:
    event = one()
    assert (event.id, event.time.isoformat(), event.latency_ms) == (
        "chatcmpl-1", "2026-11-05T09:00:00.123000+00:00", 1500,
    )  # fmt: skip
    assert (event.team, event.employee, event.customer, event.workflow) == (
        "Customer%20Success", "e1", "c1", "triage",
    )  # fmt: skip
    assert (event.vendor, event.model, event.model_requested, event.api_key_id) == (
        "openai", "gpt-4o", "gpt-4o", "88dc28d0",
    )  # fmt: skip
    assert (event.input_tokens, event.output_tokens, event.cost_nano_usd) == (10, 20, 225_000)
    assert (event.status, event.cache_hit) == ("success", False)


@given(st.lists(st.floats(0, 1000, allow_nan=False), min_size=1, max_size=8))
def test_every_form_gives_the_same_calls_and_dollars_by_their_digits(spends: list[float]) -> None:
    rows = [litellm_row(request_id=f"r{n}", spend=spend) for n, spend in enumerate(spends)]
    forms = [
        json.dumps(rows).encode(), json.dumps(rows, indent=1).encode(), as_csv(rows), as_parquet(rows),
        b"\n".join(json.dumps(row).encode() for row in rows) + b"\n",
    ]  # fmt: skip
    calls = [read(form) for form in forms]
    assert all(found == calls[0] for found in calls)
    for event, spend in zip(calls[0][0], spends, strict=True):
        exact = (Decimal(repr(spend)) * 10**9).to_integral_value(ROUND_HALF_EVEN)
        assert event.cost_nano_usd == (int(exact) if spend else None)


@given(st.sampled_from(CONTENT), content, st.sampled_from(["", "bad"]), st.sampled_from(["json", "csv", "parquet"]))
def test_no_content_is_ever_shown_and_its_field_is_named_once(field: str, said: Any, time: str, form: str) -> None:
    rows = [litellm_row(**{field: said}), litellm_row(request_id="r2", **{field: said})]
    rows[1]["startTime"] = time or rows[1]["startTime"]
    raw = {"json": lambda r: json.dumps(r).encode(), "csv": as_csv, "parquet": as_parquet}[form](rows)
    assert "SENTINEL" not in everything(raw)
    reading = Reading(BytesIO(raw), ReadOptions())
    assert len(list(reading)) == 2
    assert reading.dropped == [field]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"usage_object": {"prompt_tokens_details": {"cached_tokens": 4}}}, (10, 4, None)),
        ({"additional_usage_values": {"cache_read_input_tokens": 4, "cache_creation_input_tokens": 5}}, (10, 4, 5)),
        ({"additional_usage_values": {"cache_read_input_tokens": 40, "cache_creation_input_tokens": 5}}, (55, 40, 5)),
    ],
)
def test_cached_tokens_are_a_part_of_the_input(usage: dict[str, Any], expected: tuple[int, int, int | None]) -> None:
    event = one(metadata=usage)
    assert (event.input_tokens, event.cached_input_tokens, event.cache_write_tokens) == expected


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({"spend": 0.0}, None),
        ({"spend": 0.0, "cache_hit": "True"}, 0),
        ({"spend": 0.0, "status": "failure"}, 0),
        ({"spend": 0.0, "metadata": {"model_map_information": {"model_map_value": {"key": "own"}}}}, 0),
        ({"spend": None}, None),
        ({"spend": "1.5e-9"}, 2),
        ({"spend": "2.5e-9"}, 2),
    ],
)
def test_a_zero_that_means_unknown_is_unpriced(changes: dict[str, Any], cost: int | None) -> None:
    event = one(**changes)
    assert (event.cost_nano_usd, event.cost_source) == (cost, "unpriced" if cost is None else "provided")


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"startTime": "yesterday"}, ("time", 225_000)),
        ({"spend": -1}, ("cost_usd", None)),
        ({"spend": "a lot"}, ("cost_usd", None)),
        ({"model": "two words"}, ("model", 225_000)),
        ({"prompt_tokens": -1}, ("input_tokens", 225_000)),
        ({"metadata": "{'a': None}"}, ("metadata", 225_000)),
    ],
)
def test_a_refused_row_stands_for_its_money(changes: dict[str, Any], refused: tuple[str, int | None]) -> None:
    events, [found] = read(json.dumps([litellm_row(), litellm_row(**changes)]).encode())
    assert len(events) == 1
    assert (found.field, found.cost_nano_usd) == refused


def test_a_key_in_clear_is_never_recorded() -> None:
    assert "sk-1234" not in repr(one(api_key="sk-1234"))


def test_what_is_cut_off_is_refused_and_the_rest_is_read() -> None:
    raw = json.dumps([litellm_row(request_id="a"), litellm_row(request_id="b")], indent=1).encode()
    items = list(Reading(BytesIO(raw[:-40]), ReadOptions()))
    assert [type(item) for item in items] == [Event, Refused]


@pytest.mark.skipif(not SAMPLE.exists(), reason="the recorded batch lies beside the checkout only")
def test_a_recorded_batch_is_read_without_its_content() -> None:
    raw = SAMPLE.read_bytes()
    assert SECRET.encode() in raw
    assert "SENTINEL" not in everything(raw)
    events, refused = read(raw)
    assert not refused
    assert [(e.team, e.customer, e.cost_nano_usd) for e in events] == [("marketing", "alice", 225_000)] * 3
