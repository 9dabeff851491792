"""CSV: columns by name or mapping, dollars exactly, and nothing guessed."""

from decimal import Decimal
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.reader_options import parse_mapping
from spendgate.ledger.readers import InputError, Reading, ReadOptions
from spendgate.model.event import Event
from tests.ledger.reading import is_taken, read

HEADER = "time,id,team,cost_usd,input_tokens,cache_hit\n"
ROW = "2026-11-05T09:00:00Z,c1,legal,0.25,12,true\n"

nano = st.integers(0, 2**53 - 1)


def one(text: str, options: ReadOptions | None = None) -> Event:
    [event], refused = read(text.encode(), options)
    assert not refused
    return event


def expectation(row: str, header: str = HEADER) -> tuple[str, str]:
    events, [refused] = read((header + row).encode())
    assert not events
    return refused.field, refused.expected


@given(nano)
def test_dollars_are_exact(cost_nano_usd: int) -> None:
    dollars = Decimal(cost_nano_usd) / 10**9
    assert one(f"time,cost_usd\n2026-11-05T09:00:00Z,{dollars}\n").cost_nano_usd == cost_nano_usd


@given(st.lists(st.text(max_size=12), min_size=6, max_size=6))
def test_what_is_read_is_what_the_log_takes(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    events, _ = read((HEADER + ROW + quoted + "\n").encode("utf-8", "surrogatepass"))
    assert events
    assert all(map(is_taken, events))


def test_a_row_becomes_an_event() -> None:
    event = one(HEADER + ROW)
    assert (event.id, event.team, event.cost_nano_usd, event.cost_source) == (
        "c1",
        "legal",
        250_000_000,
        "provided",
    )
    assert (event.input_tokens, event.cache_hit, event.time.isoformat()) == (
        12,
        True,
        "2026-11-05T09:00:00+00:00",
    )


def test_an_empty_cell_is_unknown() -> None:
    event = one(HEADER + "2026-11-05T09:00:00Z,c1,,,,\n")
    assert (event.team, event.cost_nano_usd, event.input_tokens, event.cost_source) == (
        None,
        None,
        None,
        "unpriced",
    )


@pytest.mark.parametrize(
    ("row", "field", "expected"),
    [
        ("2026-11-05T09:00:00Z,c1,a,0.0000000001,1,true\n", "cost_usd", "at most nine decimals"),
        ("2026-11-05T09:00:00Z,c1,a,-1,1,true\n", "cost_usd", "dollars that are zero or more"),
        ("2026-11-05T09:00:00Z,c1,a,9007200,1,true\n", "cost_usd", "less than 2^53 nano-USD"),
        ("2026-11-05T09:00:00Z,c1,a,$1,1,true\n", "cost_usd", "dollars as a decimal"),
        ("2026-11-05T09:00:00Z,c1,a,1,1.5,true\n", "input_tokens", "a whole number"),
        ("2026-11-05T09:00:00Z,c1,a,1,-1,true\n", "input_tokens", "a whole number"),
        ("2026-11-05T09:00:00Z,c1,a,1,1,maybe\n", "cache_hit", "true or false"),
        ("05/11/2026,c1,a,1,1,true\n", "time", "an RFC 3339 time"),
        (",c1,a,1,1,true\n", "time", "an RFC 3339 time"),
        ("0001-01-01T00:00:00+14:00,c1,a,1,1,true\n", "time", "an RFC 3339 time"),
        ("2026-11-05T09:00:00Z,c1\n", "(row)", "6 columns"),
        ("2026-11-05T09:00:00Z,c1,two words,1,1,true\n", "team", "1 to 128 printable ASCII"),
    ],
)
def test_a_bad_cell_is_refused_by_field(row: str, field: str, expected: str) -> None:
    found = expectation(row)
    assert found[0] == field
    assert found[1].startswith(expected)


def test_a_mapping_names_columns() -> None:
    options = ReadOptions(mapping=parse_mapping("cost_usd=Cost, team=Cost Centre,time=When"))
    event = one("When,Cost Centre,Cost,model\n2026-11-05 10:00:00+01:00,legal,1.5,gpt-4o\n", options)
    assert (event.team, event.cost_nano_usd, event.model) == ("legal", 1_500_000_000, "gpt-4o")
    assert event.time.isoformat() == "2026-11-05T09:00:00+00:00"


def test_a_time_without_an_offset_is_utc() -> None:
    assert one("time\n2026-11-05 09:00:00\n").time.isoformat() == "2026-11-05T09:00:00+00:00"


def test_columns_that_are_not_read_are_named_once() -> None:
    reading = Reading(BytesIO(b"time,Prompt,note\n2026-11-05T09:00:00Z,x,y\n"), ReadOptions())
    assert reading.ignored == ["Prompt", "note"]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_found_by_the_header(delimiter: str) -> None:
    assert one((HEADER + ROW).replace(",", delimiter)).team == "legal"


def test_a_quoted_cell_may_hold_a_delimiter_and_a_line_break() -> None:
    events, refused = read(b'time,note,team\n2026-11-05T09:00:00Z,"a, b\nc",legal\n2026-11-05T09:00:01Z,,sales\n')
    assert [event.team for event in events] == ["legal", "sales"]
    assert not refused


@pytest.mark.parametrize("text", ["team", "team=", "=Team", "prompt=Prompt", "team=A,team=B"])
def test_a_mapping_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^map: "):
        parse_mapping(text)


@pytest.mark.parametrize(
    ("header", "mapping", "expected"),
    [
        ("a,b\n", "", "time column"),
        ("time,b\n", "team=Team", "map: team: expected a column that the header names"),
        ("time,cost_usd,cost_nano_usd\n", "", "one column of cost"),
    ],
)
def test_a_header_that_does_not_fit_is_refused_as_a_whole(header: str, mapping: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        read(header.encode(), ReadOptions(mapping=parse_mapping(mapping)))
