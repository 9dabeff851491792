"""Laws of the warnings: what can never take effect is told, and what people mean to write is left alone."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.model.known_values import KnownValuesError, known_from_events, parse_known
from spendgate.model.policy import Policy
from spendgate.model.policy_lint import lint, lint_names, lint_together
from spendgate.model.policy_problems import show_path
from spendgate.model.policy_source import FIELD_NAMES, read_policy
from tests.model.policies import documents, windows
from tests.oracle import window_of

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
DAY = {"calendar": "day", "timezone": "Europe/Berlin"}
MONTH = {"calendar": "month", "timezone": "Europe/Berlin"}


def policy(*rules: dict[str, Any], scope: dict[str, Any] | None = None, name: str = "a") -> Policy:
    spec = {"scope": scope or {}, "rules": list(rules) or [{"review": {"when": {"cost_usd_over": "1"}}}]}
    head = {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": name}}
    return Policy.model_validate({**head, "spec": spec})


def budget(cap_usd: str, window: dict[str, Any], on_breach: str = "deny", **fields: Any) -> dict[str, Any]:
    return {"budget": {"cap_usd": cap_usd, "window": window, "on_breach": on_breach, **fields}}


def boundary(on_breach: str = "deny", **limits: Any) -> dict[str, Any]:
    return {"boundary": {**limits, "on_breach": on_breach}}


def review(**when: Any) -> dict[str, Any]:
    return {"review": {"when": when}}


def warnings_of(made: Policy) -> list[tuple[str, str]]:
    return [(show_path(finding.path, FIELD_NAMES), finding.message) for finding in lint(made)]


SILENT = [
    policy(),
    policy(budget("500", MONTH, warn_at_percent=[50, 80]), budget("20", DAY)),
    policy(budget("400", MONTH, "review"), budget("500", MONTH, "deny")),
    policy(budget("500", DAY, per=["team"]), budget("500", MONTH, per=["employee"])),
    policy(budget("500", DAY), budget("500", {**MONTH, "timezone": "UTC"})),
    policy(budget("500", {"calendar": "week"}), budget("500", {"calendar": "month"})),
    policy(budget("500", {"rolling": "7m"}), budget("500", {"rolling": "90m"})),
    policy(boundary(max_cost_usd="0.5"), review(cost_usd_over="0.25")),
    policy(boundary("warn", max_cost_usd="0.5"), review(cost_usd_over="0.5")),
    policy(boundary(max_cost_usd="0.5"), boundary("review", max_cost_usd="0.4")),
    policy(boundary(models={"deny": ["gpt-4*"]}), review(models=["gpt-*"])),
    policy(scope={"team": ["growth-*"], "exclude": {"team": ["growth-us"], "workflow": ["incident-*"]}}),
    policy(scope={"exclude": {"team": ["*"]}}),
    policy(boundary(models={"allow": ["gpt-4*"], "deny": ["gpt-4-32k"]}), scope={"model": ["gpt-*"]}),
]
TELLING = [
    (policy(budget("1", DAY, warn_at_percent=[50, 100])), "budget.warn_at_percent", "exactly the cap"),
    (policy(budget("0", DAY, warn_at_percent=[50])), "budget.warn_at_percent", "cap of zero"),
    (policy(budget("500", DAY), budget("500", MONTH)), "budget.cap_usd", "can't bind: rules[1]"),
    (policy(budget("9", DAY, "warn"), budget("8", DAY)), "budget.cap_usd", "can't bind: rules[1]"),
    (policy(budget("9", {"rolling": "24h"}), budget("9", {"rolling": "7d"})), "budget.cap_usd", "can't bind"),
    (
        policy(budget("9", {"rolling": "24h"}), budget("9", {"lifetime": True})),
        "budget.cap_usd",
        "can't bind",
    ),
    (policy(budget("9", DAY, per=["employee"]), budget("9", DAY)), "budget.cap_usd", "can't bind"),
    (policy(boundary(max_cost_usd="0.5"), review(cost_usd_over="0.5")), "when.cost_usd_over", "rules[0]"),
    (policy(review(input_tokens_over=9), boundary(max_input_tokens=8)), "when.input_tokens_over", "rules[1]"),
    (policy(boundary(models={"deny": ["gpt-*"]}), review(models=["gpt-4*"])), "when.models", "rules[0]"),
    (policy(boundary(vendors={"allow": ["openai"]}), review(vendors=["google"])), "when.vendors", "rules[0]"),
    (policy(boundary(max_cost_usd="1"), boundary("review", max_cost_usd="2")), "max_cost_usd", "rules[0]"),
    (
        policy(boundary("deny", max_cost_usd="1"), boundary("warn", max_cost_usd="1")),
        "max_cost_usd",
        "rules[0]",
    ),
    (policy(boundary(models={"allow": ["gpt-4o"], "deny": ["gpt-*"]})), "models.allow[0]", "allows nothing"),
    (
        policy(boundary(models={"deny": ["gpt-*"]}), scope={"model": ["claude-*"]}),
        "deny[0]",
        "matches nothing",
    ),
    (
        policy(review(models=["gpt-4o"]), scope={"exclude": {"model": ["gpt-*"]}}),
        "models[0]",
        "matches nothing",
    ),
    (policy(scope={"team": ["a", "b"], "exclude": {"team": ["*"]}}), "exclude.team", "looks at no call"),
    (policy(scope={"exclude": {"team": ["*", "(none)"]}}), "exclude.team", "looks at no call"),
    (policy(scope={"team": ["a", "b"], "exclude": {"team": ["b"]}}), "scope.team[1]", "exclude removes all"),
    (policy(scope={"team": ["a"], "exclude": {"team": ["b"]}}), "exclude.team[0]", "removes nothing"),
    (policy(scope={"model": ["gpt-[4"]}), "scope.model[0]", "stands for itself"),
    (policy(budget("1.0", DAY), budget("1", DAY)), "rules[1]", "says the same as rules[0]"),
]


@pytest.mark.parametrize("made", SILENT)
def test_what_takes_effect_is_left_alone(made: Policy) -> None:
    assert warnings_of(made) == []


@pytest.mark.parametrize(("made", "field", "message"), TELLING)
def test_what_can_never_take_effect_is_told(made: Policy, field: str, message: str) -> None:
    assert [told for where, told in warnings_of(made) if where.endswith(field) and message in told]


def test_of_two_equal_rules_only_the_second_is_told() -> None:
    twice = policy(budget("1", DAY), budget("1", DAY))
    assert {where for where, _ in warnings_of(twice)} == {"spec.rules[1]", "spec.rules[1].budget.cap_usd"}
    limits = policy(boundary(max_cost_usd="1"), boundary(max_cost_usd="1", max_input_tokens=5))
    assert [where for where, _ in warnings_of(limits)] == ["spec.rules[1].boundary.max_cost_usd"]


@given(windows(), windows(), st.integers(0, 2**41))
def test_a_cap_that_cannot_bind_counts_within_the_other(
    inner: dict[str, Any], outer: dict[str, Any], time_ms: int
) -> None:
    made = policy(budget("2", inner, "warn"), budget("1", outer))
    if any("can't bind: rules[1]" in message for _, message in warnings_of(made)):
        ours, theirs = (window_of(rule.budget.window, time_ms) for rule in made.spec.rules if rule.budget)
        if theirs.start_ms is not None and theirs.end_ms is not None:
            assert ours.start_ms is not None
            assert ours.end_ms is not None
            assert theirs.start_ms <= ours.start_ms < ours.end_ms <= theirs.end_ms


@given(documents())
def test_every_policy_can_be_looked_at(document: dict[str, Any]) -> None:
    made = Policy.model_validate(document)
    for finding in [*lint(made), *lint_names(made, {"team": ["marketing"], "model": []})]:
        assert show_path(finding.path, FIELD_NAMES).startswith("spec.")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_beyond_reproach(path: Path) -> None:
    assert lint(read_policy(path.read_text(encoding="utf-8"), path.name)) == []


def test_names_that_nobody_has_are_told_with_the_nearest() -> None:
    made = policy(
        boundary(models={"deny": ["gtp-4*", "gpt-4*"]}),
        scope={"team": ["marketng", "growth-*", "(none)"], "exclude": {"workflow": ["anything"]}},
    )
    found = lint_names(made, {"team": ["marketing", "growth-us"], "model": ["gpt-4o"], "agent": []})
    assert [(show_path(finding.path, FIELD_NAMES), finding.nearest) for finding in found] == [
        ("spec.scope.team[0]", "marketing"),
        ("spec.rules[0].boundary.models.deny[0]", "gpt-4o"),
    ]


def test_rivals_are_told_across_policies() -> None:
    first = policy(budget("25", DAY, per=["team"]), scope={"team": ["a", "b"]})
    rival = policy(budget("30.0", DAY, per=["team"]), scope={"team": ["b", "a"]}, name="b")
    alike = policy(budget("25.00", DAY, per=["team"]), scope={"team": ["a", "b"]}, name="c")
    other = policy(budget("30", MONTH, per=["team"]), scope={"team": ["a", "b"]}, name="d")
    found = lint_together([first, rival, other])
    assert [(i, show_path(finding.path, FIELD_NAMES)) for i, finding in found] == [(1, "spec.rules[0].budget.cap_usd")]
    assert lint_together([first, alike, other]) == []


def test_a_name_used_twice_is_told_once_for_each_further_use() -> None:
    found = lint_together([policy(), policy(), policy(name="b"), policy()])
    assert [i for i, _ in found] == [1, 3]
    assert {show_path(finding.path, FIELD_NAMES) for _, finding in found} == {"metadata.name"}


def test_known_values_come_from_a_list_or_from_events() -> None:
    assert parse_known(b'{"team": ["a"], "model": []}') == {"team": ["a"], "model": []}
    lines = [b'{"id":"1","team":"b","prompt":"x"}', b"", b'[{"team":"a"},{"model":"m","team":null}]\n']
    assert known_from_events(lines) == {"team": ["a", "b"], "model": ["m"]}


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"team": "a"}', b'{"tenant": ["a"]}', b'{"team": [1]}', b"\xff"])
def test_a_bad_list_of_known_values_is_refused(raw: bytes) -> None:
    with pytest.raises(KnownValuesError, match=r"^expected "):
        parse_known(raw)


@pytest.mark.parametrize("line", [b"{", b"3", b'{"team": 3}', b'"SENTINEL"', b"[" * 100_000])
def test_a_bad_line_of_events_is_refused_by_number(line: bytes) -> None:
    with pytest.raises(KnownValuesError, match=r"^line 2: expected an event"):
        known_from_events([b"{}", line])
