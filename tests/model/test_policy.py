"""Laws of the policy model that hold however a policy was made."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy import Budget, CalendarWindow, LifetimeWindow, Policy, RollingWindow, Rule
from spendgate.model.policy_types import NAME_PATTERN
from spendgate.model.text import is_name
from tests.model.policies import documents


def budget(**fields: Any) -> Budget:
    document = {"cap_usd": "1", "window": {"lifetime": True}, "on_breach": "deny"}
    return Budget.model_validate({**document, **fields})


@given(documents())
def test_a_policy_survives_its_own_dump(document: dict[str, Any]) -> None:
    policy = Policy.model_validate(document)
    assert Policy.model_validate(policy.model_dump()) == policy
    assert Policy.model_validate_json(policy.model_dump_json(exclude_none=True)) == policy


@given(st.permutations(SCOPE_FIELDS), st.permutations([1, 50, 80, 100]))
def test_per_and_thresholds_have_one_order(fields: list[str], percents: list[int]) -> None:
    made = budget(per=fields, warn_at_percent=percents)
    assert made.per == list(SCOPE_FIELDS)
    assert made.warn_at_percent == [1, 50, 80, 100]


def test_a_cap_of_zero_is_legal() -> None:
    assert budget(cap_usd="0").cap_nano_usd == 0


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"calendar": "day"}, CalendarWindow),
        ({"rolling": "7d"}, RollingWindow),
        ({"lifetime": True}, LifetimeWindow),
    ],
)
def test_a_window_is_told_apart_by_its_key(document: dict[str, Any], kind: type) -> None:
    window = budget(window=document).window
    assert isinstance(window, kind)
    assert budget(window=window).window == window


@pytest.mark.parametrize("text", ["0m", "01m", "1w", "-1d", "1.5h", "9601h", "401d", "1m\n", "٥m", "m", ""])
def test_a_rolling_window_is_whole_minutes_up_to_400_days(text: str) -> None:
    with pytest.raises(ValidationError):
        RollingWindow(rolling=text)


@given(st.integers(1, 400))
def test_days_hours_and_minutes_measure_the_same(days: int) -> None:
    hours = RollingWindow(rolling=f"{days * 24}h")
    assert RollingWindow(rolling=f"{days}d").minutes == hours.minutes == days * 1440
    assert RollingWindow(rolling=f"{days * 1440}m").minutes == days * 1440


@pytest.mark.parametrize(
    "zone", ["Europe/Berln", "europe/berlin", "Europe", "../UTC", "", "/etc/localtime", "zone.tab"]
)
def test_a_zone_that_tzdata_does_not_have_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="IANA time zone"):
        CalendarWindow(calendar="day", timezone=zone)


def test_null_counts_as_absent_in_a_rule() -> None:
    limit = {"max_cost_usd": "1", "on_breach": "deny"}
    assert Rule.model_validate({"budget": None, "boundary": limit}).boundary is not None
    with pytest.raises(ValidationError, match="exactly one"):
        Rule.model_validate({"budget": None})


@given(st.text(max_size=3) | st.text(st.characters(max_codepoint=0x7F), max_size=130))
def test_the_pattern_of_names_is_the_stated_set(text: str) -> None:
    assert (re.fullmatch(NAME_PATTERN, text) is not None) == is_name(text)
