"""Inputs of the importers, drawn at random: what they know, what they do not, and what cannot be carried."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Drawn = SearchStrategy[Any]

NAMES = st.sampled_from(["growth", "e0001", "a.b/c", "team[1]", "Growth EMEA", "gpt-4o", "x*y"])
MODELS = st.sampled_from(["gpt-4o", "openai/gpt-4o", "claude-haiku-4-5", "a model"])
DOLLARS = st.integers(1, 10**6) | st.sampled_from([0, 0.5, 99.99, 1e-12, 10**12, "7.5", "much"])
DURATIONS = st.sampled_from(["1h", "1d", "7d", "30d", "1mo", "12h", "45s", "2mo", "0d", "soon"])
NOISE = st.sampled_from([0, 1, True, False, "x", None, [], {}, [1, "x"], {"a": {"b": "c"}}])


def row(required: dict[str, Drawn], **optional: Drawn) -> Drawn:
    """An object of these fields, and perhaps one that nobody knows."""
    return st.fixed_dictionaries(required, optional={**optional, "unheard_of": NOISE})


BY_MODEL = st.dictionaries(
    MODELS,
    row({}, budget_limit=DOLLARS, time_period=DURATIONS, max_budget=DOLLARS, tpm_limit=NOISE) | DOLLARS,
    max_size=2,
)
BUDGET = {
    "max_budget": DOLLARS,
    "soft_budget": DOLLARS,
    "budget_duration": DURATIONS,
    "model_max_budget": BY_MODEL,
    "tpm_limit": st.integers(1, 9),
    "spend": st.integers(1, 9),
    "models": st.lists(NAMES, max_size=2),
}
CONFIGS = row(
    {
        "litellm_settings": row(
            {},
            **BUDGET,
            timezone=st.just("Europe/Berlin"),
            max_internal_user_budget=DOLLARS,
            internal_user_budget_duration=DURATIONS,
            max_end_user_budget=DOLLARS,
            default_internal_user_params=row({}, **BUDGET),
            default_team_settings=st.lists(row({"team_id": NAMES}, **BUDGET), max_size=2),
            default_key_generate_params=row({}, **BUDGET),
            tag_budget_config=st.dictionaries(NAMES, row({}, **BUDGET), max_size=2),
        )
    },
    router_settings=row(
        {},
        provider_budget_config=st.dictionaries(
            NAMES, row({}, budget_limit=DOLLARS, time_period=DURATIONS) | row({}, **BUDGET), max_size=2
        ),
    ),
    model_list=st.lists(
        row({"litellm_params": row({}, model=MODELS, api_key=NAMES, **BUDGET)}, model_name=NAMES), max_size=2
    ),
    general_settings=NOISE,
)
_LINK = {"budget_id": st.sampled_from(["b1", "b2", "b3"]), "litellm_budget_table": row({}, **BUDGET)}


def _rows(**names: Drawn) -> Drawn:
    return st.lists(row({}, **names, **BUDGET, **_LINK), max_size=2)


TABLES = row(
    {"LiteLLM_TeamTable": _rows(team_id=NAMES, team_alias=NAMES)},
    LiteLLM_BudgetTable=st.lists(
        row({"budget_id": _LINK["budget_id"]}, **BUDGET), max_size=2, unique_by=lambda each: each["budget_id"]
    ),
    LiteLLM_UserTable=_rows(user_id=NAMES, user_email=NAMES),
    LiteLLM_VerificationToken=_rows(token=NAMES, key_alias=NAMES, blocked=st.booleans()),
    LiteLLM_EndUserTable=_rows(user_id=NAMES, alias=NAMES),
    LiteLLM_TeamMembership=_rows(team_id=NAMES, user_id=NAMES),
    LiteLLM_OrganizationTable=_rows(organization_alias=NAMES),
    tags=_rows(tag_name=NAMES),
)
_KEYS = st.sampled_from(["api_key", "metadata._user", "metadata.team", "provider", "model", "workspace_id", "prompt"])
_VALUES = NAMES | MODELS.map("@openai/{}".format) | st.just("*") | st.lists(NAMES, min_size=1, max_size=2, unique=True)
_POLICY = row(
    {"credit_limit": DOLLARS},
    name=NAMES,
    conditions=st.lists(row({"key": _KEYS}, value=_VALUES, excludes=_VALUES), max_size=2),
    group_by=st.lists(row({"key": _KEYS}), max_size=2),
    type=st.sampled_from(["cost", "cost", "tokens"]),
    alert_threshold=DOLLARS,
    periodic_reset=st.sampled_from(["monthly", "weekly", "daily"]),
    periodic_reset_days=st.integers(1, 500),
    status=st.sampled_from(["active", "archived"]),
    workspace_id=NAMES,
)
PORTKEY = _POLICY | st.lists(_POLICY, min_size=1, max_size=3) | row({"data": st.lists(_POLICY, min_size=1, max_size=3)})
_LIMIT = row(
    {
        "requests_per_unit": st.integers(0, 10**6),
        "unit": st.sampled_from(["second", "minute", "hour", "DAY", "week", "year"]),
    },
    unlimited=st.booleans(),
    name=NAMES,
)
_KEY = st.sampled_from(["x-team-id", "user_id", "model", "project", "agent", "remote_address"])


def _descriptors(depth: int) -> Drawn:
    nested = {"descriptors": _descriptors(depth - 1)} if depth else {}
    each = row({"key": _KEY}, value=NAMES, rate_limit=_LIMIT, shadow_mode=st.booleans(), **nested)
    return st.lists(each, min_size=1, max_size=3)


SERVICE = row({"domain": st.sampled_from(["llm_cost", "other"]), "descriptors": _descriptors(2)})
_HEADER = row(
    {"name": _KEY},
    type=st.sampled_from(["Exact", "Distinct", "RegularExpression"]),
    value=NAMES,
    invert=st.booleans(),
)
_COST = row(
    {},
    request=row({"from": st.just("Number"), "number": st.integers(0, 1)}),
    response=row(
        {
            "from": st.just("Metadata"),
            "metadata": row({"key": st.sampled_from(["llm_cost", "tokens"])}, namespace=st.just("io.envoy.ai_gateway")),
        }
    ),
)
_SELECTOR = row({}, headers=st.lists(_HEADER, max_size=2), sourceCIDR=row({"value": NAMES}))
_RULE = row(
    {"limit": row({"requests": st.integers(0, 10**6), "unit": st.sampled_from(["Hour", "Day", "Second"])})},
    cost=_COST,
    clientSelectors=st.lists(_SELECTOR, max_size=2),
)
_LIMITS = row({"global": row({"rules": st.lists(_RULE, min_size=1, max_size=2)})}, local=NOISE, type=st.just("Global"))
GATEWAY = row(
    {
        "apiVersion": st.just("gateway.envoyproxy.io/v1alpha1"),
        "kind": st.just("BackendTrafficPolicy"),
        "metadata": row({"name": st.sampled_from(["llm-cost", "other"])}),
        "spec": row({"rateLimit": _LIMITS}, targetRefs=NOISE),
    }
)
