"""The staged policies of the comparison: ten that match every event, and as many more as wanted that match none."""

from typing import Any

from spendgate.model.policy import Policy

MATCHING = 10
_OTHER_FIELDS = ("team", "workflow", "model", "employee", "project")


def _budget(cap_usd: str, window: dict[str, Any], per: list[str], on_breach: str) -> dict[str, Any]:
    return {
        "budget": {
            "cap_usd": cap_usd,
            "window": window,
            "per": per,
            "warn_at_percent": [50, 80],
            "on_breach": on_breach,
        }
    }


def _boundary(**limits: Any) -> dict[str, Any]:
    return {"boundary": {**limits, "on_breach": "deny"}}


def _review(**when: Any) -> dict[str, Any]:
    return {"review": {"when": when}}


_MONTH = {"calendar": "month", "timezone": "Europe/Berlin"}
_TEN: tuple[tuple[str, dict[str, Any], list[dict[str, Any]]], ...] = (
    ("company-month", {}, [_budget("5000000", _MONTH, [], "deny"), _boundary(max_cost_usd="0.05")]),
    ("team-month", {"team": ["team-*"]}, [_budget("400000", _MONTH, ["team"], "deny")]),
    ("employee-day", {}, [_budget("9000", {"calendar": "day"}, ["employee"], "review")]),
    (
        "employee-rolling",
        {"exclude": {"workflow": ["incident-*"]}},
        [_budget("9000", {"rolling": "24h"}, ["employee"], "review"), _boundary(max_input_tokens=100_000)],
    ),
    ("models", {}, [_boundary(models={"deny": ["gpt-4-32k*"]}), _boundary(max_output_tokens=4000)]),
    ("costly-calls", {}, [_review(cost_usd_over="0.023")]),
    (
        "workflow-week",
        {"workflow": ["workflow-*"]},
        [
            _budget("900000", {"calendar": "week"}, ["workflow"], "deny"),
            _review(input_tokens_over=19_900),
            _boundary(vendors={"deny": ["unknown-*"]}),
        ],
    ),
    ("project-quarter", {}, [_budget("900000", {"calendar": "quarter"}, ["project"], "warn")]),
    (
        "vendor-ever",
        {"vendor": ["openai", "anthropic", "google", "mistral"]},
        [_budget("9000000", {"calendar": "year"}, ["vendor"], "warn")],
    ),
    (
        "team-day",
        {},
        [
            _budget("100000", {"calendar": "day"}, ["team"], "review"),
            _budget("900000", {"calendar": "hour"}, [], "warn"),
            _review(output_tokens_over=1490),
        ],
    ),
)


def staged_policies(count: int) -> list[Policy]:
    """``count`` policies of 1 to 3 rules, the ten that match among the others, at even distances."""
    others = [_other(number) for number in range(count - MATCHING)]
    step = len(others) // MATCHING
    policies: list[Policy] = []
    for place, (name, scope, rules) in enumerate(_TEN):
        policies += [_policy(name, scope, rules), *others[place * step : (place + 1) * step]]
    return [*policies, *others[MATCHING * step :]]


def _other(number: int) -> Policy:
    field = _OTHER_FIELDS[number % len(_OTHER_FIELDS)]
    glob = f"other-{number:04d}" + ("-*" if number % 2 else "")
    _, _, rules = _TEN[number % MATCHING]
    return _policy(f"other-{number:04d}", {field: [glob]}, rules)


def _policy(name: str, scope: dict[str, Any], rules: list[dict[str, Any]]) -> Policy:
    return Policy.model_validate({
        "apiVersion": "spendgate/v1",
        "kind": "Policy",
        "metadata": {"name": name},
        "spec": {"scope": scope, "rules": rules},
    })  # fmt: skip
