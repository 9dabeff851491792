"""What each format comes to: windows, caps, scopes and groups, and what is told of the rest."""

import json
from typing import Any

import pytest

from spendgate.importers.carrying import shown
from spendgate.importers.drafting import Imported
from spendgate.importers.envoy import import_envoy
from spendgate.importers.helicone import import_helicone
from spendgate.importers.litellm import import_litellm
from spendgate.importers.portkey import import_portkey
from spendgate.importers.reading import NotImportable


def specs(found: Imported) -> list[dict[str, Any]]:
    return [draft.policy.spec.model_dump(exclude_defaults=True, exclude_none=True) for draft in found.drafts]


def budget(found: Imported) -> dict[str, Any]:
    """The one budget of the one policy."""
    (spec,) = specs(found)
    (rule,) = spec["rules"]
    return dict(rule["budget"])


def listed(found: Imported) -> dict[str, str]:
    return {shown(note.path): note.reason for note in found.not_carried}


def litellm(data: Any, **mapping: str) -> Imported:
    return import_litellm(json.dumps(data).encode(), mapping)


@pytest.mark.parametrize(
    ("duration", "window"),
    [
        ("1h", {"calendar": "hour"}),
        ("24h", {"calendar": "day"}),
        ("1d", {"calendar": "day"}),
        ("7d", {"calendar": "week"}),
        ("1w", {"calendar": "week"}),
        ("30d", {"calendar": "month"}),
        ("1mo", {"calendar": "month"}),
        ("12h", {"rolling": "12h"}),
        ("10d", {"rolling": "10d"}),
        ("90s", {"rolling": "2m"}),
        (None, {"lifetime": True}),
    ],
)
def test_a_duration_of_litellm_is_the_window_that_it_resets_with(duration: str | None, window: dict[str, Any]) -> None:
    found = litellm({"litellm_settings": {"max_budget": 5, "budget_duration": duration}})
    assert budget(found) == {"cap_usd": "5", "window": window, "on_breach": "deny"}
    assert found.not_carried == ()


def test_a_calendar_goes_by_the_time_zone_of_the_settings() -> None:
    found = litellm({"litellm_settings": {"max_budget": 5, "budget_duration": "1d", "timezone": "Europe/Berlin"}})
    assert budget(found)["window"] == {"calendar": "day", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("soft", "rules"),
    [
        (50, [("100", [50], "deny")]),
        (33.3, [("100", [], "deny"), ("33.3", [], "warn")]),
        (150, [("100", [], "deny"), ("150", [], "warn")]),
    ],
)
def test_a_soft_budget_is_a_threshold_or_a_rule_of_its_own(soft: float, rules: list[Any]) -> None:
    found = litellm({"teams": [{"team_id": "t", "max_budget": 100, "soft_budget": soft}]})
    made = [rule.budget for rule in found.drafts[0].policy.spec.rules if rule.budget]
    assert [(each.cap_usd, each.warn_at_percent, each.on_breach) for each in made] == rules


def test_a_key_is_carried_only_where_it_is_said_what_field_it_is() -> None:
    data = {"keys": [{"key_alias": "ci-bot", "max_budget": 5}]}
    alone, mapped = litellm(data), litellm(data, key="workflow")
    assert alone.drafts == ()
    assert "--map key=FIELD" in listed(alone)["keys[0]"]
    assert specs(mapped)[0]["scope"] == {"workflow": ["ci-bot"]}


def test_a_budget_row_is_found_by_its_id() -> None:
    found = litellm(
        {
            "LiteLLM_BudgetTable": [{"budget_id": "b", "max_budget": 3}, {"budget_id": "c", "max_budget": 4}],
            "LiteLLM_TeamMembership": [{"team_id": "growth", "user_id": "e0001", "budget_id": "b"}],
        }
    )  # fmt: skip
    assert specs(found)[0]["scope"] == {"team": ["growth"], "employee": ["e0001"]}
    assert "nothing in this dump refers" in listed(found)["LiteLLM_BudgetTable[1].max_budget"]


def test_a_name_with_glob_characters_means_itself() -> None:
    found = litellm({"teams": [{"team_id": "a*[b]?", "max_budget": 1}]})
    assert specs(found)[0]["scope"] == {"team": ["a[*][[]b][?]"]}


def test_a_bare_list_needs_to_be_told_what_it_is() -> None:
    raw = b'[{"team_id": "t", "max_budget": 1}]'
    with pytest.raises(NotImportable, match="--table"):
        import_litellm(raw, {})
    assert len(import_litellm(raw, {}, "teams").drafts) == 1


def test_a_portkey_policy_stays_behind_whole_where_a_condition_cannot_be_carried() -> None:
    policy = {
        "type": "cost",
        "credit_limit": 10,
        "conditions": [{"key": "team", "value": "a"}, {"key": "prompt", "value": "p"}],
    }
    found = import_portkey(json.dumps(policy).encode(), {})
    assert found.drafts == ()
    assert {"credit_limit", "conditions[0]", "conditions[1].key"} <= listed(found).keys()
    assert len(import_portkey(json.dumps(policy).encode(), {"prompt": "workflow"}).drafts) == 1


def test_a_portkey_policy_has_its_groups_thresholds_and_excludes() -> None:
    policy = {
        "type": "cost", "credit_limit": 1000, "alert_threshold": 800, "periodic_reset": "weekly",
        "conditions": [{"key": "model", "value": "@openai/gpt-4*", "excludes": ["@openai/gpt-4o-mini"]}],
        "group_by": [{"key": "metadata._user"}],
    }  # fmt: skip
    found = import_portkey(json.dumps(policy).encode(), {})
    assert specs(found)[0]["scope"] == {"model": ["gpt-4*"], "exclude": {"model": ["gpt-4o-mini"]}}
    window = {"calendar": "week", "week_starts": "sunday"}
    expected = {"cap_usd": "1000", "window": window, "per": ["employee"], "warn_at_percent": [80], "on_breach": "deny"}
    assert budget(found) == expected


SERVICE = """
domain: llm_cost
descriptors:
  - key: team
    rate_limit: {unit: day, requests_per_unit: 5000000}
  - key: team
    value: research
    rate_limit: {unit: week, requests_per_unit: 9000000}
    shadow_mode: true
"""


def test_units_of_envoy_are_money_only_where_that_is_said() -> None:
    without, priced = (
        import_envoy(SERVICE.encode(), {}, {}),
        import_envoy(SERVICE.encode(), {}, {"llm_cost": "0.000001"}),
    )
    assert without.drafts == ()
    assert "--unit-usd" in listed(without)["descriptors[0].rate_limit.requests_per_unit"]
    each, research = specs(priced)
    assert each["scope"] == {"team": ["*"], "exclude": {"team": ["research"]}}
    assert each["rules"][0]["budget"] == {
        "cap_usd": "5",
        "window": {"calendar": "day"},
        "per": ["team"],
        "on_breach": "deny",
    }
    assert research["rules"][0]["budget"]["on_breach"] == "warn"
    assert research["rules"][0]["budget"]["window"] == {"calendar": "week", "week_starts": "thursday"}


def test_a_limit_of_zero_forbids_whatever_it_counts() -> None:
    found = import_envoy(
        b"domain: d\ndescriptors: [{key: model, value: o1, rate_limit: {unit: day, requests_per_unit: 0}}]", {}, {}
    )
    assert specs(found) == [
        {"scope": {"model": ["o1"]}, "rules": [{"boundary": {"models": {"deny": ["*"]}, "on_breach": "deny"}}]}
    ]


@pytest.mark.parametrize(
    ("header", "per", "cap", "window"),
    [
        ("1000;w=86400;u=cents;s=user", ["employee"], "10", {"rolling": "1d"}),
        ("Helicone-RateLimit-Policy: \"50;w=3600;u=cents\"", [], "0.5", {"rolling": "1h"}),
        ("1;w=90;u=cents;s=team", ["team"], "0.01", {"rolling": "2m"}),
    ],
)  # fmt: skip
def test_a_header_of_cents_is_a_rolling_budget(header: str, per: list[str], cap: str, window: dict[str, Any]) -> None:
    found = import_helicone(header, {})
    made = budget(found)
    assert (made["cap_usd"], made["window"], made.get("per", [])) == (cap, window, per)
    assert found.not_carried == ()


@pytest.mark.parametrize("header", ["100;w=60", "100;w=60;u=request;s=user", "100;w=60;u=cents;s=plan"])
def test_a_header_of_requests_or_of_an_unknown_property_is_listed(header: str) -> None:
    found = import_helicone(header, {})
    assert found.drafts == ()
    assert found.not_carried


@pytest.mark.parametrize(
    "header", ["", "w=60", "x;w=60", "1", "1;w=x;u=cents", "1;w=60;w=61", "1;w=60;u=euros", "-1;w=60;u=cents"]
)
def test_what_is_no_header_is_refused(header: str) -> None:
    with pytest.raises(NotImportable, match="quota"):
        import_helicone(header, {})


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 2}', "a: 1\na: 2", "[" * 5000, "&a [*a]", "a: &x [1]\nb: " + "[" * 30 + "*x" + "]" * 80, "\ud800"],
)
def test_text_that_would_lose_something_or_never_end_is_refused(text: str) -> None:
    with pytest.raises(NotImportable, match="expected"):
        import_litellm(text.encode("utf-8", "surrogatepass"), {})
