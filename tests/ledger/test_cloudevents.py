"""CloudEvents: each usage event is a call, and parts that name their call are one; no token is lost or doubled."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_cloudevents import CONTENT
from tests.ledger.foreign import SECRET, everything, usage
from tests.ledger.reading import is_taken, read


def raw(*events: dict[str, Any]) -> bytes:
    return json.dumps(list(events)).encode()


def test_an_event_of_one_token_type_is_a_call() -> None:
    [event], _ = read(json.dumps(usage(tokens="123456", type="output")).encode())
    assert is_taken(event)
    assert (event.id, event.source, event.customer, event.model) == ("ce-1", "chat-app", "customer-1", "gpt-4o")
    assert (event.input_tokens, event.output_tokens, event.cost_source) == (None, 123456, "unpriced")


def test_parts_that_name_their_call_are_one() -> None:
    parts = [usage(1, tokens=5, type="input", request_id="r"), usage(2, tokens=9, type="output", request_id="x"),
             usage(3, tokens=7, type="output", request_id="r", cost_usd="0.5"),
             usage(3, tokens=7, type="output", request_id="r", cost_usd="0.5")]  # fmt: skip
    events, _ = read(raw(*parts))
    assert [(e.id, e.input_tokens, e.output_tokens, e.cost_nano_usd) for e in events] == [
        ("ce-1", 5, 7, 500_000_000), ("ce-2", None, 9, None), ("ce-3", None, 7, 500_000_000),
    ]  # fmt: skip


part = st.tuples(st.sampled_from(["input", "output", "system"]), st.integers(0, 99), st.sampled_from([None, "a", "b"]))


@given(st.lists(part, max_size=30))
def test_no_token_is_lost_or_doubled(parts: list[tuple[str, int, str | None]]) -> None:
    given_events = [usage(n, tokens=tokens, type=kind, call_id=call) for n, (kind, tokens, call) in enumerate(parts)]
    events, refused = read(raw(*given_events)) if given_events else ([], [])
    assert not refused
    for field, kinds in (("input_tokens", ("input", "system")), ("output_tokens", ("output",))):
        total = sum(getattr(event, field) or 0 for event in events)
        assert total == sum(tokens for kind, tokens, _ in parts if kind in kinds)
    assert len(events) == sum(call is None for *_, call in parts) + len({call for *_, call in parts if call})


@given(st.sampled_from(CONTENT), st.booleans())
def test_no_content_is_ever_shown(field: str, broken: bool) -> None:
    data: dict[str, Any] = {"tokens": SECRET if broken else 1, "type": "input", field: SECRET}
    shown = everything(raw(usage(**data)))
    assert "SENTINEL" not in shown
    assert f"'{field}'" in shown


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (usage(), "data"),
        (usage(tokens=5), "data"),
        (usage(tokens=5, type="gpu_time"), "data"),
        (usage(tokens=-5, type="input"), "input_tokens"),
        (usage(tokens=5, type="input") | {"time": "now"}, "time"),
        (usage(tokens=5, type="input") | {"source": "two words"}, "source"),
    ],
)
def test_what_holds_no_usage_is_refused(event: dict[str, Any], field: str) -> None:
    assert [one.field for one in read(raw(event))[1]] == [field]
