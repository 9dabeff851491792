"""Every vertical's policies pass their own cases, and nothing is odd about them."""

import pytest

from dev.verticals.shelf import NoVertical, chosen, names
from spendgate.model.policy_lint import lint, lint_together
from spendgate.model.policy_source import check_text
from spendgate.simulate.cases import run_case


def test_the_four_that_were_promised_are_there() -> None:
    assert names() == ["enterprise", "healthcare", "legal", "real-estate"]


@pytest.mark.parametrize("name", names())
def test_every_policy_passes_its_own_cases(name: str) -> None:
    for path in chosen(name).files:
        sourced, problems = check_text(path.read_text(encoding="utf-8"), path.name)
        assert not problems
        for each in sourced:
            assert each.cases, path.name
            assert [case.name for case in each.cases if not run_case(each.policy, case).passed] == []


@pytest.mark.parametrize("name", names())
def test_nothing_is_odd_about_the_policies(name: str) -> None:
    policies = chosen(name).policies
    assert [found for policy in policies for found in lint(policy)] == []
    assert list(lint_together(policies)) == []


@pytest.mark.parametrize("name", names())
def test_each_brings_caps_of_cases_agents_and_months_a_model_boundary_and_a_review_gate(name: str) -> None:
    rules = [rule for policy in chosen(name).policies for rule in policy.spec.rules]
    per = {tuple(rule.budget.per) for rule in rules if rule.budget is not None}
    assert {(), ("team",), ("project",), ("project", "agent")} <= per
    assert any(rule.boundary is not None and rule.boundary.models is not None for rule in rules)
    assert any(rule.review is not None and rule.review.when.evidence_status is not None for rule in rules)


def test_what_is_no_vertical_is_told_which_there_are() -> None:
    with pytest.raises(NoVertical, match="enterprise, healthcare, legal, real-estate"):
        chosen("no-such-thing")
