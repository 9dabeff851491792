"""What groups give, and who a claim names: nothing that no rule says, and nothing of another tenant."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.login.grants import GrantRule, NotAdmitted, claim, grants_of, groups_of, name_of, rules_json
from policy_store.api_keys import ROLES, Role
from policy_store.sessions import Grant
from spendgate.model.text import is_name

GROUPS = ("finance", "engineers", "Finance", "everybody")
rules = st.lists(
    st.builds(GrantRule, st.sampled_from(GROUPS), st.sampled_from(["acme", "labs"]), st.sampled_from(get_args(Role))),
    max_size=8,
)
groups = st.frozensets(st.sampled_from((*GROUPS, "unknown")))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(GROUPS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(mine=groups, by=rules)
def test_a_grant_is_given_exactly_where_a_rule_names_one_of_the_groups(
    mine: frozenset[str], by: list[GrantRule]
) -> None:
    found = grants_of(mine, by)
    assert set(found) == {Grant(rule.tenant, rule.role) for rule in by if rule.group in mine}
    assert len(found) == len(set(found))


@given(mine=groups, more=groups, by=rules)
def test_another_group_never_takes_a_grant_away_and_order_changes_nothing(
    mine: frozenset[str], more: frozenset[str], by: list[GrantRule]
) -> None:
    assert set(grants_of(mine, by)) <= set(grants_of(mine | more, by))
    assert grants_of(mine, by[::-1]) == grants_of(mine, by)
    assert rules_json(by[::-1]) == rules_json(by)


@given(by=rules)
def test_the_first_grant_of_a_tenant_is_the_one_that_may_least(by: list[GrantRule]) -> None:
    found = grants_of(frozenset(GROUPS), by)
    assert list(found) == sorted(found, key=lambda each: (each.tenant, ROLES.index(each.role)))


@given(said=json_values)
def test_whatever_a_provider_says_of_groups_only_texts_are_groups(said: Any) -> None:
    found = groups_of({"groups": said}, "groups")
    listed = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    assert found == {each for each in listed if isinstance(each, str)}


@pytest.mark.parametrize(
    ("claims", "name", "expected"),
    [
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ["a"]),
        ({"https://example.com/groups": ["a"]}, "https://example.com/groups", ["a"]),
        ({"a.b": 1, "a": {"b": 2}}, "a.b", 1),
        ({"a": "text"}, "a.b", None),
        ({}, "groups", None),
    ],
)
def test_a_claim_is_found_by_its_name_and_else_by_its_path(claims: Any, name: str, expected: Any) -> None:
    assert claim(claims, name) == expected


@given(email=json_values | st.emails(), verified=json_values)
def test_a_name_is_of_the_stated_set_and_an_address_is_verified(email: Any, verified: Any) -> None:
    claims = {"email": email, "email_verified": verified}
    try:
        found = name_of(claims, "email", takes_unverified=False)
    except NotAdmitted:
        assert verified not in (True, "true") or not isinstance(email, str) or not is_name(email.lower())
        return
    assert is_name(found)
    assert found == email.lower()
    assert verified in (True, "true")


@given(text=st.text(max_size=10))
def test_no_provider_makes_an_administrator_of_anybody(text: str) -> None:
    with pytest.raises(NotAdmitted):
        name_of({"sub": f"({text})"}, "sub", takes_unverified=False)


def test_what_is_no_address_keeps_its_case_and_needs_no_verification() -> None:
    assert name_of({"preferred_username": "Ann"}, "preferred_username", takes_unverified=False) == "Ann"
    assert name_of({"email": "Ann@x"}, "email", takes_unverified=True) == "ann@x"
