"""The Azure LLM trace: found by its header, owners by the seeded rule, times and tokens as they stand."""

import pytest

from spendgate.ledger.readers import InputError, ReadOptions
from spendgate.ledger.sample_company import MODELS, price_nano_usd
from tests.ledger.reading import is_taken, read

TRACE = (
    b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n"
    b"2023-11-16 18:17:03.9799600,4808,10\r\n"
    b"2023-11-16 18:17:04.0319600,3180,8\r\n"
    b"not a row\r\n"
    b"2023-13-16 18:17:04.0319600,3180,8\r\n"
    b"2023-11-16 18:17:05,0,0\r\n"
)


def test_the_trace_is_found_by_its_header() -> None:
    events, refused = read(TRACE)
    assert [(e.time.isoformat(), e.input_tokens, e.output_tokens) for e in events] == [
        ("2023-11-16T18:17:03.979960+00:00", 4808, 10),
        ("2023-11-16T18:17:04.031960+00:00", 3180, 8),
        ("2023-11-16T18:17:05+00:00", 0, 0),
    ]
    assert [(one.line, one.field) for one in refused] == [(4, "(row)"), (5, "(row)")]
    assert all(map(is_taken, events))


def test_costs_are_the_list_price_of_the_model() -> None:
    models = {model.name: model for model in MODELS}
    for event in read(TRACE)[0]:
        expected = price_nano_usd(models[event.model or ""], event.input_tokens or 0, event.output_tokens or 0)
        assert (event.cost_nano_usd, event.cost_source) == (expected, "priced")


def test_owners_follow_from_the_seed() -> None:
    trace = TRACE.splitlines(keepends=True)[0] + TRACE.splitlines(keepends=True)[1] * 40
    assert read(trace, ReadOptions(seed=1)) == read(trace, ReadOptions(seed=1))
    one, other = read(trace, ReadOptions(seed=1))[0], read(trace, ReadOptions(seed=2))[0]
    assert [event.employee for event in one] != [event.employee for event in other]
    assert [event.id for event in one] == [event.id for event in other]


def test_a_trace_without_its_header_is_refused() -> None:
    with pytest.raises(InputError, match="expected the header TIMESTAMP"):
        read(b"a,b\n1,2\n", ReadOptions(format="azure"))
