"""Laws of decoding: an allow-list at every depth, whole numbers within bounds, and no value in any reason."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.decode import Decoded, Fault, decode_message
from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, Event, encode_events
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.partition import partition_of

KEY, PARTITIONS = b"acme", 8
EVENT: dict[str, Any] = {"id": "1", "source": "app", "tenant": "acme", "time": "2026-11-05T00:00:00Z"}
ACTIVATION = {"kind": "activation", "id": "a", "tenant": "acme", "time": EVENT["time"], "action": "settings"}
COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "latency_ms",
)
COSTS = ("cost_nano_usd", "estimate_nano_usd")
PLANTED = "SENTINEL secret"


def decode(document: Any) -> Decoded:
    return decode_message(KEY, json.dumps(document).encode(), partition_of(KEY, PARTITIONS), PARTITIONS)


def fault_of(document: Any) -> Fault:
    decoded = decode(document)
    assert decoded.events == []
    assert decoded.activation is None
    (fault,) = decoded.faults
    assert "SENTINEL" not in str(fault)
    return fault


def test_a_plain_event_passes() -> None:
    decoded = decode({**EVENT, "team": "marketing", "cost_nano_usd": 5, "cache_hit": False})
    assert decoded.faults == []
    assert [(event.id, event.team, event.cost_nano_usd) for event in decoded.events] == [("1", "marketing", 5)]


@given(st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True).filter(lambda name: name not in Event.__struct_fields__))
def test_an_unknown_field_is_refused_by_name(name: str) -> None:
    fault = fault_of({**EVENT, name: PLANTED})
    assert (fault.reason, fault.field) == ("unknown_field", name)


@pytest.mark.parametrize("name", [PLANTED, "Prompt Text", "", "é", "x" * 41, "messages[0]"])
def test_an_unknown_field_that_is_no_identifier_is_not_repeated(name: str) -> None:
    fault = fault_of({**EVENT, name: PLANTED})
    assert fault.reason == "unknown_field"
    assert fault.field in (None, "(not an identifier)")


@pytest.mark.parametrize("field", ["team", "cost_nano_usd", "time", "cache_hit", "outcome", "id"])
@pytest.mark.parametrize("deep", [{"prompt": PLANTED}, [PLANTED], [{"team": {"prompt": PLANTED}}]])
def test_nothing_rides_along_deeper_down(field: str, deep: Any) -> None:
    fault = fault_of({**EVENT, field: deep})
    assert (fault.reason, fault.field) == ("wrong_type", field)


def test_an_activation_refuses_unknown_fields_at_every_depth() -> None:
    settings = {"grace_hours": 24}
    assert decode({**ACTIVATION, "settings": settings}).activation is not None
    for spoilt in (
        {**ACTIVATION, "settings": settings, "note": PLANTED},
        {**ACTIVATION, "settings": {"note": PLANTED}},
    ):
        fault = fault_of(spoilt)
        assert (fault.reason, fault.field) == ("bad_activation", "note")


@pytest.mark.parametrize("field", [*COSTS, *COUNTS])
@pytest.mark.parametrize("value", [0.5, 5.5e20, "5", True, [5]])
def test_money_and_counts_are_whole_numbers(field: str, value: Any) -> None:
    fault = fault_of({**EVENT, field: value})
    assert (fault.reason, fault.field) == ("wrong_type", field)


@pytest.mark.parametrize("field", [*COSTS, *COUNTS])
def test_money_and_counts_have_bounds(field: str) -> None:
    for value in (0, MAX_COST_NANO_USD):
        assert [getattr(event, field) for event in decode({**EVENT, field: value}).events] == [value]
    for value in (-1, MAX_COST_NANO_USD + 1, 2**63, 10**40):
        assert fault_of({**EVENT, field: value}).field == field


@pytest.mark.parametrize("value", ["2026-11-05T00:00:00", "2026-11-05", "yesterday", 5, "1969-12-31T00:00:00Z", None])
def test_a_time_has_an_offset_and_is_of_our_age(value: Any) -> None:
    assert fault_of({**EVENT, "time": value}).field == "time"


@pytest.mark.parametrize("field", ["id", "source", "time", "tenant"])
def test_identity_and_time_must_be_there(field: str) -> None:
    fault = fault_of({name: value for name, value in EVENT.items() if name != field})
    assert (fault.reason, fault.field) == ("missing_field", field)


@pytest.mark.parametrize("text", [PLANTED, "", "x" * 129, "(none)", "a\nb", "é", 'a"b', "<b>"])
@pytest.mark.parametrize("field", ["id", "team", "model", "prompt_fingerprint"])
def test_a_string_is_of_the_stated_set(field: str, text: str) -> None:
    assert fault_of({**EVENT, field: text}).field == field


@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_one_events_fault_is_never_anothers(sound: list[bool]) -> None:
    events = [{**EVENT, "id": str(i)} | ({} if fine else {"prompt": PLANTED}) for i, fine in enumerate(sound)]
    decoded = decode(events)
    assert decoded.indexes == [i for i, fine in enumerate(sound) if fine]
    assert [event.id for event in decoded.events] == [str(i) for i in decoded.indexes]
    assert [fault.place for fault in decoded.faults] == [i for i, fine in enumerate(sound) if not fine]


def test_a_message_holds_1_to_500_events() -> None:
    assert fault_of([]).reason == "empty_batch"
    assert len(decode([EVENT] * MAX_EVENTS_PER_MESSAGE).events) == MAX_EVENTS_PER_MESSAGE
    assert fault_of([EVENT] * (MAX_EVENTS_PER_MESSAGE + 1)).reason == "too_many_events"


def test_the_key_is_the_tenant_in_its_own_partition() -> None:
    value = json.dumps(EVENT).encode()
    home = partition_of(KEY, PARTITIONS)
    assert [fault.reason for fault in decode_message(None, value, home, PARTITIONS).faults] == ["no_key"]
    elsewhere = decode_message(KEY, value, (home + 1) % PARTITIONS, PARTITIONS)
    assert [fault.reason for fault in elsewhere.faults] == ["wrong_partition"]
    assert fault_of({**EVENT, "tenant": "other"}).reason == "tenant_is_not_key"


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(value: bytes) -> None:
    decoded = decode_message(KEY, value, partition_of(KEY, PARTITIONS), PARTITIONS)
    assert decoded.events or decoded.faults or decoded.activation


def test_what_is_encoded_is_decoded_the_same() -> None:
    (event,) = decode({**EVENT, "cost_nano_usd": 7, "model": "gpt-4o", "cache_hit": True}).events
    again = decode_message(KEY, encode_events([event]), partition_of(KEY, PARTITIONS), PARTITIONS)
    assert again.events == [event]
