"""Packing: nothing lost, nothing reordered within a tenant, no message over its limits."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.packing import pack
from spendgate.model.decode import decode_message
from spendgate.model.event import Event, encode_events
from spendgate.model.partition import partition_of
from tests.ledger.drawn_events import calls

MAX_BYTES = 2000
some = st.lists(calls(tenants=st.sampled_from(["a", "b", "c"])), max_size=60)


@given(some, st.integers(1, 20))
def test_each_tenants_events_arrive_once_and_in_order(events: list[Event], limit: int) -> None:
    arrived: dict[str, list[Event]] = defaultdict(list)
    for message in pack(events, limit):
        decoded = decode_message(message.key, message.value, partition_of(message.key, 8), 8)
        assert not decoded.faults
        assert len(decoded.events) == message.count
        arrived[message.tenant] += decoded.events
    sent: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        sent[event.tenant].append(event)
    assert arrived == sent


@given(some, st.integers(1, 20))
def test_no_message_is_over_its_limits(events: list[Event], limit: int) -> None:
    for message in pack(events, limit, MAX_BYTES):
        assert message.count <= limit
        assert len(message.value) <= MAX_BYTES or message.count == 1


@given(some)
def test_a_message_is_as_full_as_it_can_be(events: list[Event]) -> None:
    sizes: dict[str, list[int]] = defaultdict(list)
    for message in pack(events, 10):
        sizes[message.tenant].append(message.count)
    assert all(set(counts[:-1]) <= {10} for counts in sizes.values())


@given(calls())
def test_a_single_event_is_a_plain_object(event: Event) -> None:
    [message] = pack([event])
    assert message.value == encode_events(event)


@pytest.mark.parametrize("limit", [0, 501])
def test_a_limit_that_the_log_would_refuse_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit: expected 1 to 500"):
        list(pack([], limit))
