"""Laws of merging a policy that two people have edited: no change of either is lost, and nobody's side weighs more."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.canonical import policy_hash
from spendgate.model.policy import Policy
from spendgate.model.policy_merge import Merged, Side, canonical, merge_policies
from tests.model.policies import documents

Edit = Callable[[dict[str, Any]], None]
BASE: dict[str, Any] = {
    "apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "both", "owner": "finance"},
    "spec": {
        "scope": {"team": ["marketing"], "vendor": ["openai"]},
        "rules": [
            {"budget": {"cap_usd": "500", "window": {"calendar": "month"}, "per": ["team"], "on_breach": "deny"}},
            {"budget": {"cap_usd": "20", "window": {"rolling": "24h"}, "per": ["employee"], "on_breach": "review"}},
            {"boundary": {"models": {"deny": ["gpt-4*"]}, "max_cost_usd": "0.5", "on_breach": "warn"}},
            {"review": {"when": {"cost_usd_over": "0.25"}, "reviewers": "leads"}},
        ],
    },
}  # fmt: skip


def put(*way: Any, value: Any) -> Edit:
    def edit(document: dict[str, Any]) -> None:
        at: Any = document
        for each in way[:-1]:
            at = at[each]
        at[way[-1]] = value

    return edit


def is_meant(body: dict[str, Any] | None) -> bool:
    return body is not None and body.get("per") != ["team"] and "max_input_tokens" not in body


def rule(kind: str, name: str, value: Any) -> Edit:
    """A field of the base's last rule of a kind."""

    def edit(document: dict[str, Any]) -> None:
        (found,) = [
            each[kind] for each in document["spec"]["rules"] if kind in each and each[kind].get("per") != ["team"]
        ]
        found[name] = value

    return edit


def add(number: int, made: dict[str, Any]) -> Edit:
    return lambda document: document["spec"]["rules"].insert(number, made)


def drop(document: dict[str, Any]) -> None:
    document["spec"]["rules"] = [
        each for each in document["spec"]["rules"] if each.get("budget", {}).get("per") != ["team"]
    ]


EDITS: list[Edit] = [
    put("metadata", "owner", value="treasury"),
    put("metadata", "description", value="a cap"),
    put("spec", "scope", "team", value=["marketing", "growth"]),
    put("spec", "scope", "exclude", value={"agent": ["x"]}),
    put("spec", "on_unpriced", value="deny"),
    put("spec", "enforcement", value={"fail_mode": "closed"}),
    rule("budget", "cap_usd", "35"),
    rule("budget", "window", {"rolling": "48h"}),
    rule("boundary", "max_cost_usd", "0.75"),
    rule("boundary", "vendors", {"allow": ["openai"]}),
    rule("review", "expires", "72h"),
    drop,
    add(0, {"boundary": {"max_input_tokens": 9000, "on_breach": "deny"}}),
    add(99, {"review": {"when": {"models": ["o3*"]}, "reviewers": "heads"}}),
]
"""None of them touches what another one does."""


def edited(edits: list[Edit]) -> Policy:
    document = deepcopy(BASE)
    for edit in edits:
        edit(document)
    return Policy.model_validate(document)


def hash_of(merged: Merged) -> str:
    return policy_hash(Policy.model_validate(merged.document))


sides = st.lists(st.sampled_from(["neither", "theirs", "mine", "both"]), min_size=len(EDITS), max_size=len(EDITS))


@given(sides)
def test_changes_that_do_not_meet_are_all_there(whose: list[str]) -> None:
    def those(*words: str) -> list[Edit]:
        return [edit for edit, side in zip(EDITS, whose, strict=True) if side in words]

    merged = merge_policies(edited([]), edited(those("theirs", "both")), edited(those("mine", "both")))
    assert merged.conflicts == []
    assert hash_of(merged) == policy_hash(edited(those("theirs", "mine", "both")))


def test_where_both_have_changed_a_field_each_otherwise_the_person_chooses_and_the_rest_is_merged() -> None:
    theirs = edited([rule("budget", "cap_usd", "35"), put("metadata", "owner", value="treasury")])
    mine = edited([rule("budget", "cap_usd", "40"), rule("review", "expires", "3d")])
    place = "spec.rules[1].budget.cap_usd"
    merged = merge_policies(edited([]), theirs, mine)
    assert [each[:] for each in merged.conflicts] == [(place, "20", "35", "40")]
    choices: tuple[tuple[Side, str], ...] = (("theirs", "35"), ("mine", "40"))
    for pick, cap in choices:
        picked = merge_policies(edited([]), theirs, mine, {place: pick})
        wanted = [
            rule("budget", "cap_usd", cap),
            put("metadata", "owner", value="treasury"),
            rule("review", "expires", "3d"),
        ]
        assert hash_of(picked) == policy_hash(edited(wanted))


@pytest.mark.parametrize("pick", ["theirs", "mine"])
def test_a_rule_that_one_has_removed_and_the_other_changed_is_chosen_as_a_whole(pick: Side) -> None:
    lower = put("spec", "rules", 0, "budget", "cap_usd", value="400")
    merged = merge_policies(edited([]), edited([drop]), edited([lower]), {"spec.rules[0]": pick})
    assert [(each.place, each.theirs) for each in merged.conflicts] == [("spec.rules[0]", None)]
    assert hash_of(merged) == policy_hash(edited([drop if pick == "theirs" else lower]))


drawn = st.builds(Policy.model_validate, documents())


@given(drawn, drawn)
def test_a_merge_with_the_base_is_the_other_one(base: Policy, other: Policy) -> None:
    for merged in (
        merge_policies(base, base, other),
        merge_policies(base, other, base),
        merge_policies(base, other, other),
    ):
        assert (merged.document, merged.conflicts) == (canonical(other), [])


@given(drawn, drawn, drawn)
def test_nobodys_side_weighs_more(base: Policy, one: Policy, two: Policy) -> None:
    there, back = merge_policies(base, one, two), merge_policies(base, two, one)
    assert {(each.place, str(each.theirs), str(each.mine)) for each in there.conflicts} == {
        (each.place, str(each.mine), str(each.theirs)) for each in back.conflicts
    }
    mine: dict[str, Side] = {each.place: "mine" for each in there.conflicts}
    theirs: dict[str, Side] = {each.place: "theirs" for each in there.conflicts}
    assert merge_policies(base, one, two, mine).document == merge_policies(base, two, one, theirs).document
    assert len(there.mine) == len(there.document["spec"]["rules"])
