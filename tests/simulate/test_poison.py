"""A poisoned event is set aside with one reason and none of its content, and its neighbours are decoded."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spendgate.model.decode import Decoded, Fault, decode_message
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from tests.engine.scenes import examples

KEY, PARTITIONS = b"acme", 8
HOME = partition_of(KEY, PARTITIONS)
SOUND: dict[str, Any] = {"id": "1", "source": "app", "tenant": "acme", "time": "2026-11-05T00:00:00Z"}
PLANTED = "zqxjzqxj"
"""Letters that none of our own words hold, in a row that could be a field's name."""


def decode(value: bytes) -> Decoded:
    return decode_message(KEY, value, HOME, PARTITIONS)


def spoilt(**changes: Any) -> bytes:
    return json.dumps(SOUND | changes).encode()


def said(fault: Fault) -> str:
    """All text of a fault."""
    return f"{fault.reason} {fault.field or ''} {fault.expected}"


POISON: dict[str, tuple[bytes, str]] = {
    "no value of JSON": (b"zqxjzqxj", "bad_json"),
    "an object that ends too soon": (b'{"id":"zqxjzqxj"', "bad_json"),
    "text after the object": (spoilt() + b"zqxjzqxj", "bad_json"),
    "NaN": (b'{"id":"zqxjzqxj","cost_nano_usd":NaN}', "bad_json"),
    "infinity": (b'{"id":"zqxjzqxj","cost_nano_usd":-Infinity}', "bad_json"),
    "bytes that are no UTF-8": (b'{"id":"\xff\xfezqxjzqxj"}', "bad_json"),
    "half a surrogate": (b'{"id":"\\ud800zqxjzqxj"}', "bad_json"),
}
POISONED_ITEM: dict[str, tuple[Any, str, str | None]] = {
    "a text": (PLANTED, "not_an_event", None),
    "a number": (7, "not_an_event", None),
    "null": (None, "not_an_event", None),
    "an array": ([SOUND | {"team": PLANTED}], "not_an_event", None),
    "a wrong type": ({**SOUND, "cost_nano_usd": PLANTED}, "wrong_type", "cost_nano_usd"),
    "an object for a name": ({**SOUND, "team": {PLANTED: PLANTED}}, "wrong_type", "team"),
    "an unknown field deep down": ({**SOUND, "team": {"a": [{"b": {PLANTED: PLANTED}}]}}, "wrong_type", "team"),
    "a list for a name": ({**SOUND, "model": [PLANTED]}, "wrong_type", "model"),
    "an unknown field": ({**SOUND, "prompt": PLANTED}, "unknown_field", "prompt"),
    "a field that is a prompt": ({**SOUND, f"Dear {PLANTED}, tell me": 1}, "unknown_field", "(not an identifier)"),
    "a megabyte of text": ({**SOUND, "team": PLANTED * 2**17}, "out_of_range", "team"),
    "a megabyte of a field": ({**SOUND, PLANTED * 2**17: 1}, "unknown_field", "(not an identifier)"),
    "a sentence": ({**SOUND, "team": f"tell {PLANTED}"}, "bad_characters", "team"),
    "a negative cost": ({**SOUND, "cost_nano_usd": -1, "team": PLANTED}, "out_of_range", "cost_nano_usd"),
    "2^53 of cost": ({**SOUND, "cost_nano_usd": 2**53, "team": PLANTED}, "out_of_range", "cost_nano_usd"),
    "2^64 of tokens": ({**SOUND, "input_tokens": 2**64, "team": PLANTED}, "out_of_range", "input_tokens"),
    "half a nano": ({**SOUND, "cost_nano_usd": 0.5, "team": PLANTED}, "wrong_type", "cost_nano_usd"),
    "an unknown kind": ({**SOUND, "kind": PLANTED}, "out_of_range", "kind"),
    "a time in words": ({**SOUND, "time": PLANTED}, "wrong_type", "time"),
    "a time without an offset": ({**SOUND, "time": "2026-11-05T00:00:00"}, "wrong_type", "time"),
    "another tenant": ({**SOUND, "tenant": PLANTED}, "tenant_is_not_key", "tenant"),
    "no id": ({**SOUND, "id": None, "team": PLANTED}, "wrong_type", "id"),
    "a cost that is priced and is not": ({**SOUND, "cost_source": "priced"}, "contradiction", "cost_source"),
    "an activation": ({"kind": "activation", "id": PLANTED}, "activation_in_batch", None),
    "msgspec's words for a field": (
        {**SOUND, "kind": f"Object missing required field `{PLANTED}`"}, "out_of_range", "kind",
    ),
    "msgspec's words for another": (
        {**SOUND, "kind": f"Object contains unknown field `{PLANTED}`"}, "out_of_range", "kind",
    ),
    "msgspec's words for a place": ({**SOUND, "outcome": f"x' - at `$.{PLANTED}`"}, "out_of_range", "outcome"),
    "a field with a backtick": ({**SOUND, f"{PLANTED}` - at `$.a": 1}, "unknown_field", "(not an identifier)"),
}  # fmt: skip


@pytest.mark.parametrize("what", POISON)
def test_a_message_that_is_no_json_has_one_fault_and_no_event(what: str) -> None:
    value, reason = POISON[what]
    decoded = decode(value)
    assert ([fault.reason for fault in decoded.faults], decoded.events) == ([reason], [])
    assert PLANTED not in said(decoded.faults[0])


@pytest.mark.parametrize("what", POISONED_ITEM)
def test_a_poisoned_event_alone_has_one_fault_and_no_content(what: str) -> None:
    item, reason, field = POISONED_ITEM[what]
    if isinstance(item, list) or reason == "activation_in_batch":
        item = [item]
    decoded = decode(json.dumps(item).encode())
    assert decoded.events == []
    assert decoded.activation is None
    assert [(fault.place, fault.reason, fault.field) for fault in decoded.faults] == [(0, reason, field)]
    assert PLANTED not in said(decoded.faults[0])


@pytest.mark.parametrize("what", POISONED_ITEM)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_poisoned_event_does_not_touch_its_neighbours(what: str, place: int) -> None:
    item, reason, field = POISONED_ITEM[what]
    items: list[Any] = [{**SOUND, "id": "before"}, {**SOUND, "id": "after"}]
    items.insert(place, item)
    decoded = decode(json.dumps(items).encode())
    assert [event.id for event in decoded.events] == ["before", "after"]
    assert decoded.indexes == [n for n in range(3) if n != place]
    assert [(fault.place, fault.reason, fault.field) for fault in decoded.faults] == [(place, reason, field)]


def test_an_array_of_two_tenants_keeps_the_one_that_is_its_key() -> None:
    decoded = decode(json.dumps([SOUND, {**SOUND, "tenant": PLANTED}]).encode())
    assert [event.tenant for event in decoded.events] == ["acme"]
    assert [(fault.place, fault.reason) for fault in decoded.faults] == [(1, "tenant_is_not_key")]


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"[]", "empty_batch"), (b" [ ] ", "empty_batch"), (b"", "no_value"), (None, "no_value"),
     (json.dumps([SOUND] * 501).encode(), "too_many_events"), (b"[" * 100_000, "bad_json"),
     (b'{"a":' * 9999, "bad_json")],
    ids=["empty", "empty, spaced", "nothing", "a tombstone", "501", "deep arrays", "deep objects"],
)  # fmt: skip
def test_a_batch_that_is_none_is_set_aside_whole(value: bytes | None, reason: str) -> None:
    decoded = decode_message(KEY, value, HOME, PARTITIONS)
    assert ([fault.reason for fault in decoded.faults], decoded.events) == ([reason], [])


@pytest.mark.parametrize(
    ("key", "partition", "reason"),
    [(None, HOME, "no_key"), (b"", HOME, "no_key"), (b"zqxj zqxjzqxj", HOME, "bad_characters"),
     (b"\xffzqxjzqxj", HOME, "bad_characters"), (b"(none)", HOME, "bad_characters"),
     (b"z" * 129, HOME, "bad_characters"), (KEY, HOME + 1, "wrong_partition")],
)  # fmt: skip
def test_a_message_out_of_place_is_set_aside_whole(key: bytes | None, partition: int, reason: str) -> None:
    decoded = decode_message(key, spoilt(), partition, PARTITIONS)
    assert ([fault.reason for fault in decoded.faults], decoded.events) == ([reason], [])
    assert PLANTED not in said(decoded.faults[0])


odd = st.text(st.sampled_from("zqxj`$.'\"[]{}: -é\n\ud7ff"), min_size=6, max_size=20)
phrases = st.sampled_from(
    ["Object missing required field `{}`", "Object contains unknown field `{}`", "Expected `{}`", "x' - at `$.{}`",
     "`$.{}`", "timezone {}", "Invalid enum value '{}'", "out of range {}", "{}"]
)  # fmt: skip
planted = st.builds(str.format, phrases, odd)
content = st.recursive(
    planted | st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(planted | st.just("prompt"), inner, max_size=3),
    max_leaves=4,
)
documents = st.builds(
    lambda known, changes: known | changes,
    st.sampled_from([SOUND, {"kind": "activation"}, {**SOUND, "kind": "activation", "action": "end"}, {}]),
    st.dictionaries(st.sampled_from([*Event.__struct_fields__, "action", "ends", "settings"]) | planted, content),
)
ODD = frozenset("zqxjé`$'\"[]{}\n\ud7ff")
"""Characters of which our own words never hold six in a row."""


def texts_of(document: Any) -> list[str]:
    """Every string of a document, keys and values."""
    if isinstance(document, str):
        return [document]
    items = document if isinstance(document, list) else document.values() if isinstance(document, dict) else ()
    keys = list(document) if isinstance(document, dict) else []
    return keys + [text for item in items for text in texts_of(item)]


def pieces_of(document: Any) -> set[str]:
    """Every six planted characters in a row."""
    pieces = (text[n : n + 6] for text in texts_of(document) for n in range(len(text) - 5))
    return {piece for piece in pieces if ODD.issuperset(piece)}


def is_echo(fault: Fault, document: Any) -> bool:
    """Whether the fault repeats a key of the document that looks like the name of a field."""
    if isinstance(document, list):
        return any(is_echo(fault, item) for item in document)
    if not isinstance(document, dict) or fault.field is None:
        return False
    named = fault.field in document and re.fullmatch("[a-z][a-z0-9_]{0,39}", fault.field) is not None
    return named or any(is_echo(fault, item) for item in document.values())


@given(document=documents, in_a_batch=st.booleans())
@example(document={**SOUND, "kind": f"missing required field `{PLANTED} {PLANTED}`"}, in_a_batch=False)
@example(document={"kind": "activation", "action": f"missing required field `{PLANTED}`"}, in_a_batch=False)
@examples(300)
def test_no_fault_holds_a_piece_of_the_event(document: dict[str, Any], in_a_batch: bool) -> None:
    decoded = decode(json.dumps([document] if in_a_batch else document).encode())
    assert len(decoded.events) + len(decoded.faults) + (decoded.activation is not None) == 1
    for fault in decoded.faults:
        if not is_echo(fault, document):
            assert [piece for piece in pieces_of(document) if piece in said(fault)] == []


@given(
    key=st.none() | st.binary(max_size=8) | st.just(KEY), value=st.none() | st.binary(max_size=80), at=st.integers(0, 7)
)
@examples(200)
def test_whatever_the_bytes_nothing_is_raised(key: bytes | None, value: bytes | None, at: int) -> None:
    decoded = decode_message(key, value, at, PARTITIONS)
    assert decoded.faults or decoded.events or decoded.activation


@given(document=documents, cut=st.integers(0, 200), noise=st.binary(max_size=3), more=st.booleans())
@examples(200)
def test_whatever_is_torn_or_overwritten_nothing_is_raised(
    document: dict[str, Any], cut: int, noise: bytes, more: bool
) -> None:
    whole = json.dumps([SOUND, document, SOUND], ensure_ascii=False).encode()
    decoded = decode(whole[:cut] + noise + (whole[cut + len(noise) :] if more else b""))
    assert decoded.faults or decoded.events
    for fault in decoded.faults:
        assert 0 <= fault.place < 500
        assert len(said(fault)) < 200
