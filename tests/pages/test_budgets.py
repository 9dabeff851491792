"""Laws of the tree of budgets: every counter stands in it once, beneath a place that holds all of its calls."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.belonging import belonging_of
from gateway_shadow.budgets.documents import BudgetDocument, counter_of
from gateway_shadow.pages.budgets_view import MOST_BELOW, Place, tree
from spendgate.engine.counter_keys import key_text
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.policy import Budget
from spendgate.model.policy_globs import matches_any

TEAMS, CASES, AGENTS = ("red", "blue"), ("c1", "c2", "c3"), ("reader", "writer")
CALLS = [
    {"team": TEAMS[case % 2], "workflow": "intake", "project": name, "agent": agent}
    for case, name in enumerate(CASES)
    for agent in AGENTS
]
SCOPES: list[dict[str, Any]] = [{}, {"team": ["red"]}, {"team": ["red", "gr*"]}, {"workflow": ["in*"]}]
ALL = 1_000
PERS = [[], ["team"], ["project"], ["project", "agent"], ["agent"], ["workflow"]]


def rows() -> pa.Table:
    """The calls, as the ledger has them."""
    text = pa.schema([(name, pa.string()) for name in ("kind", *SCOPE_FIELDS)])
    return pa.Table.from_pylist([{"kind": "call", **each} for each in CALLS], schema=text)


def seen_by(scope: dict[str, Any]) -> list[dict[str, str]]:
    return [call for call in CALLS if all(matches_any(globs, call[name]) for name, globs in scope.items())]


def budget_of(number: int, scope: dict[str, Any], per: list[str], cap_usd: str, spent: int) -> BudgetDocument:
    """A budget whose counters are those of the calls in its scope."""
    budget = Budget.model_validate({"cap_usd": cap_usd, "window": {"lifetime": True}, "per": per, "on_breach": "deny"})
    keys = sorted({key_text(per, [call[name] for name in per]) for call in seen_by(scope)})
    return BudgetDocument(
        policy=f"p{number}", staging="stg-1", stage="shadow", rule=0, scope=scope, per=per,
        cap_nano_usd=budget.cap_nano_usd, on_breach="deny", window={"lifetime": True}, window_start=None,
        window_end=None, resets_at=None, counters=[counter_of(budget, key, spent, spent) for key in keys],
    )  # fmt: skip


def walked(place: Place, above: tuple[Place, ...] = ()) -> Iterator[tuple[Place, tuple[Place, ...]]]:
    """All places, with those above them."""
    yield place, above
    for each in place.below:
        yield from walked(each, (*above, place))


def held(place: Place) -> set[int]:
    """Which calls are of a place."""
    return {n for n, call in enumerate(CALLS) if all(matches_any(globs, call[name]) for name, globs in place.limits)}


budgets = st.lists(
    st.tuples(st.sampled_from(SCOPES), st.sampled_from(PERS), st.sampled_from(["0", "1", "3"]), st.integers(0, 4)),
    max_size=8,
).map(lambda said: [budget_of(n, scope, per, cap, spent * 10**9) for n, (scope, per, cap, spent) in enumerate(said)])


@given(budgets, st.booleans())
def test_every_counter_stands_once_beneath_a_place_that_holds_all_of_its_calls(
    said: list[BudgetDocument], is_seen: bool
) -> None:
    view = tree(said, belonging_of(rows()) if is_seen else {}, most=ALL)
    lines = [line for place, _ in walked(view.root) for line in place.lines]
    shown = [(line.budget.policy, line.counter.counter) for line in lines if line.counter]
    assert sorted(shown) == sorted((each.policy, counter.counter) for each in said for counter in each.counters)
    assert {line.budget.policy for line in lines} == {each.policy for each in said}
    for place, above in walked(view.root):
        assert all(held(place) <= held(each) for each in above)
        assert above or place is view.root
        assert place.places == sum(1 for _ in walked(place)) - 1
        assert [each.percent for each in place.below] == sorted((each.percent for each in place.below), reverse=True)
        own = [line.mark for each, _ in walked(place) for line in each.lines if line.counter]
        assert place.marks == {mark: own.count(mark) for mark in ("approaching", "over")}
        assert place.is_open or not any(place.marks.values())


@given(budgets)
def test_what_is_looked_at_by_itself_is_that_part_of_the_tree(said: list[BudgetDocument]) -> None:
    whole, near = tree(said, belonging_of(rows()), most=ALL), tree(said, {}, at_least="over", most=ALL)
    for place, _ in walked(whole.root):
        part = tree(said, belonging_of(rows()), under=place.key, most=ALL)
        assert [each.limits for each, _ in walked(part.root)] == [each.limits for each, _ in walked(place)]
        assert (part.counters, part.over) == (whole.counters, whole.over)
    assert all(line.mark == "over" for place, _ in walked(near.root) for line in place.lines)
    assert near.over == whole.over


def test_a_case_stands_under_the_team_that_all_its_calls_were_of_and_an_agent_in_it_under_the_case() -> None:
    said = [budget_of(n, {}, per, "1", 0) for n, per in enumerate(([], ["team"], ["project"], ["project", "agent"]))]
    found = {
        place.name: [each.name for each in above] for place, above in walked(tree(said, belonging_of(rows())).root)
    }
    assert found["project c2"] == ["All calls", "team blue"]
    assert found["agent reader"][:2] == ["All calls", "team red"]
    assert {each.name for each in tree(said, {}).root.below} == {f"team {name}" for name in TEAMS} | {
        f"project {name}" for name in CASES
    }


@given(st.integers(0, 3 * 10**9), st.integers(0, 3 * 10**9), st.lists(st.integers(1, 100), max_size=3, unique=True))
def test_a_mark_says_what_the_sums_say(used: int, more: int, warn: list[int]) -> None:
    budget = Budget.model_validate({
        "cap_usd": "2", "window": {"lifetime": True}, "on_breach": "deny", "warn_at_percent": sorted(warn)
    })  # fmt: skip
    found = counter_of(budget, "all", used, used + more)
    assert (found.mark == "over") == (used + more > 2 * 10**9)
    first = min(warn, default=80)
    assert (found.mark == "within") == (used + more <= 2 * 10**9 and (used + more) * 100 < 2 * 10**9 * first)
    assert found.remaining_nano_usd == max(0, 2 * 10**9 - used)


def test_the_fullest_of_many_are_shown_and_the_others_are_counted() -> None:
    budget = Budget.model_validate({"cap_usd": "1", "window": {"lifetime": True}, "per": ["team"], "on_breach": "deny"})
    whole = budget_of(0, {}, ["team"], "1", 0)
    counters = [counter_of(budget, f"team=t{n}", n * 10**6, n * 10**6) for n in range(40)]
    view = tree([whole.model_copy(update={"counters": counters})], {})
    assert [each.name for each in view.root.below] == [f"team t{39 - n}" for n in range(MOST_BELOW)]
    assert (view.root.more, view.counters) == (40 - MOST_BELOW, 40)
