"""JSON lines: what is read is what was written, and a bad row stops nothing and shows nothing."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_lines import MAX_LINE_BYTES
from spendgate.ledger.readers import InputError, ReadOptions
from spendgate.model.event import Event, encode_events
from tests.ledger.drawn_events import calls, names
from tests.ledger.reading import is_taken, read

CALL = {"id": "c1", "source": "app", "tenant": "acme", "time": "2026-11-05T09:00:00Z"}
SECRET = "SENTINEL secret"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
fields = st.sampled_from([*Event.__struct_fields__, "prompt", "cost_usd", SECRET])


def line(**changes: Any) -> bytes:
    return json.dumps(CALL | changes).encode() + b"\n"


@given(st.lists(calls(), min_size=1, max_size=10))
def test_what_was_written_is_read(events: list[Event]) -> None:
    raw = b"".join(encode_events(event) + b"\n" for event in events)
    assert read(raw) == (events, [])


@given(st.lists(st.lists(calls(), min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_line_may_hold_an_array(batches: list[list[Event]]) -> None:
    raw = b"\n".join(encode_events(batch) for batch in batches)
    assert read(raw) == ([event for batch in batches for event in batch], [])


@given(st.dictionaries(fields, json_values, max_size=6))
def test_what_is_read_is_what_the_log_takes(changes: dict[str, Any]) -> None:
    events, refused = read(json.dumps(CALL | changes).encode())
    assert len(events) + len(refused) == 1
    assert all(map(is_taken, events))


@given(st.dictionaries(fields, st.just(SECRET) | st.just([SECRET]) | st.just({SECRET: SECRET}), min_size=1))
def test_a_refusal_never_shows_content(changes: dict[str, Any]) -> None:
    _, refused = read(line(**changes))
    assert len(refused) == 1
    assert b"SENTINEL" not in msgspec.json.encode(refused)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"prompt": "hi"}, "prompt", "a field of the event's schema"),
        ({"Not a name!": 1}, "(not an identifier)", "a field of the event's schema"),
        ({"cost_nano_usd": 0.5}, "cost_nano_usd", "a whole number from 0 to 2^53 - 1"),
        ({"cost_nano_usd": 2**53}, "cost_nano_usd", "a whole number from 0 to 2^53 - 1"),
        ({"input_tokens": -1}, "input_tokens", "a whole number from 0 to 2^53 - 1"),
        ({"time": "2026-11-05T09:00:00"}, "time", "an RFC 3339 time with its offset from UTC"),
        ({"time": "1969-01-01T00:00:00Z"}, "time", "a time from 1970-01-02 to 2200"),
        ({"kind": "chat"}, "kind", "one of call, correction, outcome"),
        (
            {"kind": "outcome", "outcome": "failed"},
            "refers_to",
            "the id of the call that an annotation is about",
        ),
        ({"kind": "outcome", "refers_to": "c0"}, "outcome", "an outcome or an evidence_status"),
        (
            {"kind": "correction", "refers_to": "c0"},
            "cost_nano_usd",
            "the cost that the call should have had",
        ),
        (
            {"cost_source": "priced"},
            "cost_source",
            "unpriced without cost_nano_usd, provided or priced with it",
        ),
        ({"cache_hit": "yes"}, "cache_hit", "true or false"),
        ({"team": "two words"}, "team", "1 to 128 printable ASCII characters other than space, double quote, "),
    ],
)
def test_a_refusal_names_line_field_and_expectation(changes: dict[str, Any], field: str, expected: str) -> None:
    _, [refused] = read(line() + b"\n" + line(**changes))
    assert (refused.line, refused.field) == (3, field)
    assert refused.expected.startswith(expected)


@pytest.mark.parametrize("bad", [b"{", b"{]\n", b'"text"\n', b"7\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"[1]\n"])
def test_a_bad_line_does_not_stop_the_next(bad: bytes) -> None:
    events, refused = read(line() + bad.strip() + b"\n" + line(id="c2"))
    assert [event.id for event in events] == ["c1", "c2"]
    assert [one.line for one in refused] == [2]


def rows_without_ids(count: int, first: int = 0) -> bytes:
    return b"".join(b'{"time": "2026-11-05T09:00:00Z", "input_tokens": %d}\n' % n for n in range(first, count))


def test_a_row_without_identity_is_given_the_same_each_time() -> None:
    events, _ = read(rows_without_ids(50))
    assert read(rows_without_ids(50))[0] == events
    assert len({event.id for event in events}) == 50
    assert {(event.source, event.tenant) for event in events} == {("file", "default")}


def test_equal_rows_are_different_calls() -> None:
    events, _ = read(line().replace(b'"id": "c1", ', b"") * 3)
    assert len({event.id for event in events}) == 3


def test_rows_that_follow_do_not_change_an_identity() -> None:
    longer, _ = read(rows_without_ids(60))
    assert read(rows_without_ids(50))[0] == longer[:50]


def test_another_file_gives_other_identities() -> None:
    one, other = read(rows_without_ids(20))[0], read(rows_without_ids(21, first=1))[0]
    assert {event.id for event in one}.isdisjoint(event.id for event in other)


def test_events_of_an_array_have_ids_of_their_own() -> None:
    events, _ = read(b'[{"time":"2026-11-05T09:00:00Z"},{"time":"2026-11-05T09:00:00Z"}]')
    assert len({event.id for event in events}) == 2


@given(names, st.lists(calls(), min_size=1, max_size=3))
def test_a_given_tenant_is_everybodys(tenant: str, events: list[Event]) -> None:
    raw = b"".join(encode_events(event) + b"\n" for event in events)
    assert {event.tenant for event in read(raw, ReadOptions(tenant=tenant))[0]} == {tenant}


def test_a_tenant_that_no_event_could_carry_is_refused() -> None:
    with pytest.raises(InputError, match="tenant: expected 1 to 128"):
        ReadOptions(tenant="two words")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "line 1"),
        (b"\n\n", "line 1"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b"{" * (MAX_LINE_BYTES + 1), "8 MiB"),
    ],
)
def test_what_is_no_text_of_lines_is_refused_as_a_whole(raw: bytes, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(raw)


def test_a_byte_order_mark_is_no_content() -> None:
    assert read(b"\xef\xbb\xbf" + line()) == read(line())
