"""Laws of the difference between two policies: it is there exactly where the hashes differ, and says what changed."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spendgate.cli.diff import diff
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import diff_policies
from tests.model.policies import changes, documents, respelled, shuffled

BUDGET = {"cap_usd": "500", "window": {"calendar": "month"}, "on_breach": "deny"}
BOUNDARY = {"boundary": {"max_cost_usd": "1", "on_breach": "deny"}}
REVIEW = {"review": {"when": {"cost_usd_over": "0.5"}}}
app = typer.Typer()
app.command()(diff)


def document(*rules: dict[str, Any], **spec: Any) -> dict[str, Any]:
    spec["rules"] = list(rules) or [{"budget": BUDGET}]
    return {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "a"}, "spec": spec}


def words(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    found = diff_policies(Policy.model_validate(before), Policy.model_validate(after))
    return {change.field: change.words for change in found.changes}


def write(folder: Path, name: str, *texts: dict[str, Any]) -> Path:
    path = folder / name
    path.write_text("\n---\n".join(map(json.dumps, texts)), encoding="utf-8")
    return path


def run(*arguments: Path | str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@given(documents(), documents())
def test_there_is_a_change_exactly_where_the_hashes_differ(first: dict[str, Any], second: dict[str, Any]) -> None:
    found = diff_policies(Policy.model_validate(first), Policy.model_validate(second))
    assert (found.changes == ()) == found.same


@given(documents(), st.randoms(use_true_random=False))
def test_spelling_and_order_of_keys_are_no_change(written: dict[str, Any], chance: random.Random) -> None:
    other = shuffled(respelled(written, chance), chance)
    found = diff_policies(Policy.model_validate(written), Policy.model_validate(other))
    assert (found.same, found.changes, found.resets_counters) == (True, (), False)


@given(documents(), st.data())
def test_one_change_of_meaning_is_told_with_words(written: dict[str, Any], data: st.DataObject) -> None:
    _, other = data.draw(st.sampled_from(changes(written)), label="change")
    found = diff_policies(Policy.model_validate(written), Policy.model_validate(other))
    assert not found.same
    assert found.changes
    assert all(change.words and change.before != change.after for change in found.changes)


@given(documents(), documents())
def test_back_again_undoes_every_change(first: dict[str, Any], second: dict[str, Any]) -> None:
    one, other = Policy.model_validate(first), Policy.model_validate(second)
    there, back = diff_policies(one, other), diff_policies(other, one)
    mirrored = {"added": "removed", "removed": "added"}
    fields = {change.field for change in there.changes if change.field.startswith(("metadata", "spec.scope"))}
    assert fields == {change.field for change in back.changes if change.field.startswith(("metadata", "spec.scope"))}
    for change in there.changes:
        if change.field in fields:
            undone = next(each for each in back.changes if each.field == change.field)
            assert (undone.before, undone.after) == (change.after, change.before)
            assert undone.kind == mirrored.get(change.kind, change.kind)


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"cap_usd": "300"}, "cap_usd", "lowered from $500.00 to $300.00"),
        ({"cap_usd": "500.000000001"}, "cap_usd", "raised from $500 to $500.000000001"),
        ({"window": {"rolling": "24h"}}, "window", "was in a calendar month (UTC), is in any 24 hours"),
        ({"per": ["team"]}, "per", "was one shared counter, is one counter per team"),
        ({"warn_at_percent": [50, 80]}, "warn_at_percent", "warned at nothing, warns at 50 %, 80 %"),
        ({"on_breach": "review"}, "on_breach", "was deny, is review"),
    ],
)
def test_a_budget_tells_each_field_in_words(change: dict[str, Any], field: str, said: str) -> None:
    assert words(document(), document({"budget": BUDGET | change})) == {f"spec.rules[0].budget.{field}": said}


def test_a_scope_tells_what_it_gains_and_loses() -> None:
    before = document(scope={"team": ["a", "b"], "vendor": ["x"]})
    after = document(scope={"team": ["b", "c"], "model": ["m"], "exclude": {"workflow": ["w"]}})
    assert words(before, after) == {
        "spec.scope.team": "adds c, drops a",
        "spec.scope.vendor": "no longer limited to x",
        "spec.scope.model": "now looks only at m",
        "spec.scope.exclude.workflow": "now leaves out w",
    }


def test_a_rule_more_or_less_is_one_change() -> None:
    two, three = document({"budget": BUDGET}, REVIEW), document({"budget": BUDGET}, BOUNDARY, REVIEW)
    assert words(two, three) == {"spec.rules[1]": "added: a boundary: max_cost_usd $1.00, on_breach deny"}
    assert words(three, two) == {"spec.rules[1]": "removed: a boundary: max_cost_usd $1.00, on_breach deny"}


def test_a_rule_in_another_place_is_told_as_moved_and_changes_no_verdict() -> None:
    before, after = document(BOUNDARY, REVIEW), document(REVIEW, BOUNDARY)
    found = diff_policies(Policy.model_validate(before), Policy.model_validate(after))
    assert [change.kind for change in found.changes] == ["moved"]
    assert not found.verdicts_may_change


@pytest.mark.parametrize(
    ("after", "same"),
    [
        (document({"budget": BUDGET | {"cap_usd": "1"}}), True),
        (document({"budget": BUDGET | {"per": ["team"]}}), False),
        (document({"budget": BUDGET | {"window": {"calendar": "day"}}}), False),
        (document({"budget": BUDGET | {"cap_usd": "1"}}, scope={"team": ["a"]}), False),
    ],
)
def test_recorded_sums_stay_where_scope_window_and_groups_do(after: dict[str, Any], same: bool) -> None:
    found = diff_policies(Policy.model_validate(document()), Policy.model_validate(after))
    assert found.resets_counters
    assert [(budget.was, budget.counts_the_same) for budget in found.budgets] == [(0, same)]


def test_the_command_is_0_for_the_same_1_for_another_2_for_trouble(tmp_path: Path) -> None:
    first, second = write(tmp_path, "a", document()), write(tmp_path, "b", document(REVIEW))
    (tmp_path / "broken").write_text("kind: Policy", encoding="utf-8")
    assert run(first, first)[0] == 0
    assert run(first, second)[0] == 1
    assert run(first, tmp_path / "broken")[0] == 2
    assert run(first, tmp_path / "none")[0] == 2


def test_the_command_tells_hashes_changes_and_counters(tmp_path: Path) -> None:
    first = write(tmp_path, "a", document())
    second = write(tmp_path, "b", document({"budget": BUDGET | {"cap_usd": "300"}}))
    code, output = run(first, second)
    assert "  spec.rules[0].budget.cap_usd: lowered from $500.00 to $300.00" in output.splitlines()
    assert "begin anew" in output
    found = json.loads(run(first, second, "--json")[1])["policies"][0]
    assert (code, found["same"], found["resets_counters"], found["verdicts_may_change"]) == (1, False, True, True)
    assert found["changes"][0]["field"] == "spec.rules[0].budget.cap_usd"


def test_files_of_several_policies_are_compared_by_name(tmp_path: Path) -> None:
    one, other = document(), document() | {"metadata": {"name": "b"}}
    third = document() | {"metadata": {"name": "c"}}
    code, output = run(write(tmp_path, "a", one, other), write(tmp_path, "b", third, one))
    assert code == 1
    lines = output.splitlines()
    assert lines[0].startswith("a: the same version")
    assert lines[1:] == ["b: only in A", "c: only in B"]


def test_cases_are_no_difference(tmp_path: Path) -> None:
    tested = document() | {"tests": [{"name": "x", "events": [{"expect": "review"}]}]}
    assert run(write(tmp_path, "a", document()), write(tmp_path, "b", tested))[0] == 0
