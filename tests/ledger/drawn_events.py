"""Events for Hypothesis: every one of them is one that the log would take."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from spendgate.model.event import Event
from spendgate.model.text import ALLOWED_CHARS

names = st.text(st.sampled_from(ALLOWED_CHARS), min_size=1, max_size=128)
short_names = st.text(st.sampled_from("abcXYZ-_.:@/0189"), min_size=1, max_size=8)
counts = st.integers(0, 2**53 - 1)
times = st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 31)).map(lambda t: t.replace(tzinfo=UTC))


@st.composite
def calls(draw: st.DrawFn, tenants: st.SearchStrategy[str] = names) -> Event:
    """One call."""
    cost = draw(st.none() | counts)
    return Event(
        id=draw(names),
        source=draw(short_names),
        tenant=draw(tenants),
        time=draw(times),
        team=draw(st.none() | names),
        employee=draw(st.none() | short_names),
        workflow=draw(st.none() | short_names),
        model=draw(st.none() | names),
        vendor=draw(st.none() | short_names),
        input_tokens=draw(st.none() | counts),
        output_tokens=draw(st.none() | counts),
        cost_nano_usd=cost,
        cost_source=draw(st.none() | st.just("unpriced" if cost is None else "provided")),
        cache_hit=draw(st.none() | st.booleans()),
        status=draw(st.none() | short_names),
    )
