"""Laws of the share: which calls a staging is enforced for."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.activation import Activation, encode_activation
from spendgate.model.decode import decode_message
from spendgate.model.enforcement import Share, in_share, share_words
from spendgate.model.event import SCOPE_FIELDS, Event
from spendgate.model.partition import partition_of
from spendgate.model.text import ALLOWED_CHARS

AT = datetime(2026, 5, 1, tzinfo=UTC)
NAMES = st.text(ALLOWED_CHARS, min_size=1, max_size=12)
FIELDS = st.sampled_from(SCOPE_FIELDS)


def call(**owner: str | None) -> Event:
    return Event(id="1", source="app", tenant="acme", time=AT, **owner)  # type: ignore[arg-type]  # (owners alone)


def decoded(share: Any, action: str = "enforce") -> tuple[Activation | None, list[tuple[str | None, str]]]:
    told = {"kind": "activation", "id": "a", "tenant": "acme", "time": "2026-05-01T00:00:00Z", "action": action,
            "staging": "s", "share": share}  # fmt: skip
    found = decode_message(b"acme", msgspec.json.encode(told), partition_of(b"acme", 8), 8)
    return found.activation, [(fault.field, fault.expected) for fault in found.faults]


@given(FIELDS, NAMES, NAMES | st.none(), st.integers(0, 100), st.integers(0, 100))
def test_who_is_in_at_a_percentage_is_in_at_every_higher_one(
    field: Any, staging: str, value: str | None, one: int, other: int
) -> None:
    low, high = (Share(by=field, percent=each) for each in sorted((one, other)))
    asked = call(**{field: value})
    assert in_share(low, staging, asked) <= in_share(high, staging, asked)
    assert in_share(Share(by=field, percent=100), staging, asked)
    assert not in_share(Share(by=field, percent=0), staging, asked)
    assert in_share(None, staging, asked)


def test_the_hash_is_the_published_one() -> None:
    place = int.from_bytes(sha256(b"stg-1 growth").digest()[:8], "big") % 100
    asked = call(team="growth")
    assert in_share(Share(by="team", percent=place + 1), "stg-1", asked)
    assert not in_share(Share(by="team", percent=place), "stg-1", asked)


def test_a_percentage_is_about_that_share_of_the_values_and_another_one_in_each_staging() -> None:
    share = Share(by="employee", percent=20)
    chosen = [{n for n in range(2000) if in_share(share, staging, call(employee=f"e{n}"))} for staging in ("a", "b")]
    assert all(300 < len(each) < 500 for each in chosen)
    assert len(chosen[0] & chosen[1]) < 160


@given(FIELDS, st.lists(NAMES | st.just("(none)"), min_size=1, max_size=4), NAMES | st.none())
def test_a_list_is_for_those_on_it(field: Any, owners: list[str], value: str | None) -> None:
    share = Share(by=field, owners=tuple(owners))
    assert in_share(share, "s", call(**{field: value})) == ((value or "(none)") in owners)


@given(st.none() | st.builds(Share, by=FIELDS, percent=st.integers(0, 100))
       | st.builds(Share, by=FIELDS, owners=st.lists(NAMES, min_size=1, max_size=3).map(tuple)))  # fmt: skip
def test_an_activation_keeps_its_share(share: Share | None) -> None:
    made = Activation(kind="activation", id="a", tenant="acme", time=AT, action="enforce", staging="s", share=share)
    found = decode_message(b"acme", encode_activation(made), partition_of(b"acme", 8), 8)
    assert (found.activation, found.faults) == (made, [])
    assert share_words(share)


@pytest.mark.parametrize(
    ("share", "field"),
    [
        ({"by": "team"}, "share"),
        ({"by": "team", "percent": 1, "owners": ["a"]}, "share"),
        ({"by": "feature", "percent": 1}, "by"),
        ({"by": "team", "percent": 101}, "percent"),
        ({"by": "team", "percent": 1.5}, "percent"),
        ({"by": "team", "owners": ["a b"]}, "share"),
        ({"by": "team", "percent": 1, "prompt": "x"}, "prompt"),
    ],
)
def test_a_share_that_is_none_is_set_aside_by_its_field(share: dict[str, Any], field: str) -> None:
    activation, faults = decoded(share)
    assert activation is None
    assert [(each or "").split(".")[-1] if each != "(not an identifier)" else field for each, _ in faults] == [field]


def test_only_enforcing_has_a_share() -> None:
    assert decoded({"by": "team", "percent": 5}, "demote")[1] == [("share", "a share with enforce alone")]
