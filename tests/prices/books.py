"""Price books and calls for tests."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from hypothesis import strategies as st

from spendgate.model.event import Event, Kind
from spendgate.prices.book import PriceBook
from spendgate.prices.own_table import OwnTable

AT = datetime(2026, 10, 1, 12, tzinfo=UTC)
NAMES = [
    ("openai", "gpt-4o"),
    ("openai", "o3"),
    ("openai", "text-embedding-3-small"),
    ("openai", "tts-1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("google", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-v4-pro"),
    ("perplexity", "sonar-pro"),
    ("own", "llama-70b"),
    ("own", "other"),
    (None, "gpt-4o"),
    ("openai", None),
    (None, None),
    ("nobody", "nothing"),
]
"""Listed ones (tiers, hours of the day, prices by the call, no price for output) and some that are not."""


def table(*prices: dict[str, Any]) -> OwnTable:
    """A tenant's own table with these entries."""
    head = {"apiVersion": "spendgate/v1", "kind": "Prices", "metadata": {"name": "own"}}
    return OwnTable.model_validate({**head, "prices": list(prices)})


def book(*prices: dict[str, Any]) -> PriceBook:
    """A book with these entries of its own."""
    return PriceBook(table(*prices) if prices else None)


@cache
def list_book() -> PriceBook:
    """List prices alone."""
    return book()


usd = st.one_of(
    st.integers(0, 10**12).map(lambda nano: f"{nano // 10**9}.{nano % 10**9:09d}"),
    st.sampled_from(["0", "0.000000001", "999999999.999999999"]),
)
days = st.dates(date(2023, 1, 1), date(2027, 1, 1)).map(str)
_tokens = st.fixed_dictionaries(
    {"input_usd": usd, "output_usd": usd}, optional={"cached_input_usd": usd, "reasoning_usd": usd}
)
_globs = st.sampled_from([["own"], ["open*"], ["*"], ["(none)"], ["deepseek", "google"]])
_amounts = st.one_of(
    st.fixed_dictionaries({"per_million_tokens": _tokens}, optional={"per_call_usd": usd}),
    st.fixed_dictionaries({"per_call_usd": usd}),
    st.fixed_dictionaries({"discount_percent": st.sampled_from(["0", "12.5", "33.3333", "99.9999", "100"])}),
    st.just({"list_price_of": {"vendor": "anthropic", "model": "claude-sonnet-4-5"}}),
)


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    """One entry of a table."""
    limits = sorted(draw(st.lists(days, max_size=2, unique=True)))
    period = dict(zip(draw(st.permutations(["from", "to"])), limits, strict=False))
    if len(limits) == 2:
        period = {"from": limits[0], "to": limits[1]}
    return {"match": {"vendor": draw(_globs)}, **period, **draw(_amounts)}


books = st.lists(entries(), max_size=3).map(lambda drawn: book(*drawn))

_counts = st.one_of(st.none(), st.integers(0, 400_000), st.sampled_from([0, 200_000, 200_001, 2**53 - 1]))
_parts = st.one_of(st.none(), st.integers(0, 2000), st.sampled_from([0, 2**53 - 1]))
_costs = st.none() | st.integers(0, 2**53 - 1)
_times = st.one_of(
    st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1)), st.datetimes(datetime(1970, 1, 2), datetime(2199, 12, 31))
)


KINDS: tuple[Kind, ...] = (*("call",) * 9, "correction")


@st.composite
def events(draw: st.DrawFn) -> Event:
    """A call, or now and then an annotation."""
    vendor, model = draw(st.sampled_from(NAMES))
    kind: Kind = draw(st.sampled_from(KINDS))
    return Event(
        id="1",
        source="s",
        tenant="t",
        kind=kind,
        refers_to=None if kind == "call" else "0",
        time=draw(_times).replace(tzinfo=UTC),
        vendor=vendor,
        model=model,
        input_tokens=draw(_counts),
        output_tokens=draw(_counts),
        cached_input_tokens=draw(_parts),
        cache_write_tokens=draw(_parts),
        reasoning_tokens=draw(_parts),
        cost_nano_usd=draw(_costs) if kind == "call" else 7,
    )
