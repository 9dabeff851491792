"""Whatever the seed: each situation that was promised comes up, and is judged as the vertical's policies say."""

from collections import Counter, defaultdict

import pytest

from dev.verticals.shelf import chosen, names
from dev.verticals.situations import situations
from spendgate.model.event import Event
from spendgate.model.money import parse_usd
from spendgate.model.policy import Budget, Review
from tests.verticals.days import Judged, judged_day

SEEDS = range(7, 12)


@pytest.fixture(
    scope="module", params=[(name, seed) for name in names() for seed in SEEDS], ids=lambda p: f"{p[0]}-{p[1]}"
)
def day(request: pytest.FixtureRequest) -> tuple[str, Judged]:
    name, seed = request.param
    return name, judged_day(name, seed)


def budgets(name: str, *per: str) -> list[tuple[str, int, Budget]]:
    return [
        (policy.metadata.name, at, rule.budget)
        for policy in chosen(name).policies
        for at, rule in enumerate(policy.spec.rules)
        if rule.budget is not None and tuple(rule.budget.per) == per
    ]


def reviews(name: str) -> list[tuple[str, int, Review]]:
    return [
        (policy.metadata.name, at, rule.review)
        for policy in chosen(name).policies
        for at, rule in enumerate(policy.spec.rules)
        if rule.review is not None
    ]


def test_every_promised_situation_comes_up(day: tuple[str, Judged]) -> None:
    _, judged = day
    found = situations(judged.events, judged.decisions.values()).as_dict()
    assert all(found.values()), found


def test_a_case_is_found_over_its_cap_exactly_when_its_calls_cost_more(day: tuple[str, Judged]) -> None:
    name, judged = day
    ((policy, rule, budget),) = budgets(name, "project")
    spent: Counter[str] = Counter()
    found: set[str] = set()
    for call in judged.calls:
        assert call.project is not None
        spent[call.project] += call.cost_nano_usd or 0
        reason = judged.reason(call, policy, rule)
        if reason is not None and reason.code == "over_cap":
            assert reason.verdict == budget.on_breach
            found.add(call.project)
    assert found == {case for case, nano_usd in spent.items() if nano_usd > budget.cap_nano_usd}


def test_an_agent_is_denied_exactly_when_it_would_exceed_what_it_was_admitted(day: tuple[str, Judged]) -> None:
    """A recount in plain Python, of the closed loop of a policy with this one rule."""
    name, judged = day
    ((policy, rule, budget),) = budgets(name, "project", "agent")
    admitted: dict[tuple[str | None, str | None], int] = defaultdict(int)
    for call in judged.calls:
        reason = judged.reason(call, policy, rule)
        if reason is None:
            continue
        key, cost = (call.project, call.agent), call.cost_nano_usd or 0
        assert reason.used_before_nano_usd == admitted[key]
        assert (reason.verdict == "deny") == (admitted[key] + cost > budget.cap_nano_usd)
        admitted[key] += 0 if reason.verdict == "deny" else cost


def test_an_agent_that_loops_long_enough_is_denied(day: tuple[str, Judged]) -> None:
    name, judged = day
    ((policy, rule, budget),) = budgets(name, "project", "agent")
    loops = situations(judged.events, judged.decisions.values()).loops
    for case, agent in loops:
        mine = [call for call in judged.calls if (call.project, call.agent) == (case, agent)]
        is_over = sum(call.cost_nano_usd or 0 for call in mine) > budget.cap_nano_usd
        reasons = [judged.reason(call, policy, rule) for call in mine]
        assert any(each is not None and each.verdict == "deny" for each in reasons) == is_over
    assert any(d.verdict == "deny" for d in judged.decisions.values())


def holds(review: Review, call: Event) -> bool:
    when = review.when
    over = when.cost_usd_over is None or (call.cost_nano_usd or 0) > parse_usd(when.cost_usd_over)
    large = when.input_tokens_over is None or (call.input_tokens or 0) > when.input_tokens_over
    shown = when.evidence_status is None or call.evidence_status in when.evidence_status
    return over and large and shown


def test_a_person_is_asked_exactly_for_what_the_gate_names(day: tuple[str, Judged]) -> None:
    name, judged = day
    asked: Counter[int] = Counter()
    for policy, rule, review in reviews(name):
        for call in judged.calls:
            reason = judged.reason(call, policy, rule)
            assert reason is not None
            assert (reason.code == "review_required") == holds(review, call)
            asked[rule] += reason.code == "review_required"
    assert all(asked[rule] for _, rule, _ in reviews(name))


def test_the_dearest_document_and_every_escalation_go_to_a_person(day: tuple[str, Judged]) -> None:
    """A document of more than forty pages is a large call; what is escalated a dear model reads again."""
    _, judged = day
    found = situations(judged.events, judged.decisions.values())
    dearest = max(found.costlier_documents, key=lambda each: found.costlier_documents[each])
    verdicts = {call.id: judged.decisions[call.id].verdict for call in judged.calls if call.task == dearest}
    assert set(verdicts.values()) & {"review", "deny"}
    for case in found.escalations:
        again = [call for call in judged.calls if call.project == case][-1]
        assert again.model == "claude-opus-4-5"
        assert judged.decisions[again.id].verdict in ("review", "deny")


def test_a_model_is_denied_exactly_when_it_is_not_cleared(day: tuple[str, Judged]) -> None:
    _, judged = day
    for call in judged.calls:
        reason = judged.reason(call, "models")
        assert reason is not None
        assert (reason.code == "model_denied") == (call.vendor in ("deepseek",) or call.model == "gemini-2.5-pro")


def test_what_a_person_says_later_is_judged_by_nothing(day: tuple[str, Judged]) -> None:
    _, judged = day
    assert judged.decisions.keys() == {call.id for call in judged.calls}
