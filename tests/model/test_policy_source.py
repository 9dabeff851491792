"""Laws of reading policies: every problem is told with its place, and no value of the document ever is."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from spendgate.model.policy import Policy
from spendgate.model.policy_problems import PolicyErrors, Problem
from spendgate.model.policy_source import MAX_BYTES, PARTS, check_bytes, check_text, read_policies, read_policy
from tests.model.policies import documents

HEAD = "apiVersion: spendgate/v1\nkind: Policy\nmetadata: {name: a}\n"
SOUND = HEAD + "spec: {rules: [{boundary: {max_cost_usd: '1', on_breach: deny}}]}\n"
PLANTED = "SENTINEL secret"


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(PolicyErrors) as caught:
        read_policies(text, "file")
    return list(caught.value.problems)


def in_rule(rule: str) -> str:
    """A document with this rule alone, on its fourth line."""
    return f"{HEAD}spec: {{rules: [{rule}]}}\n"


def budget(fields: str) -> str:
    return in_rule(f"{{budget: {{window: {{lifetime: true}}, on_breach: deny, {fields}}}}}")


WINDOW = "spec.rules[0].budget.window"
GOTCHAS = [
    (budget("cap_usd: 500"), "spec.rules[0].budget.cap_usd", 'as a quoted string, such as "500"'),
    (budget("cap_usd: 0.1"), "spec.rules[0].budget.cap_usd", 'as a quoted string, such as "500"'),
    (budget("cap_usd: .inf"), "spec.rules[0].budget.cap_usd", 'as a quoted string, such as "500"'),
    (budget("cap_usd: '-1'"), "spec.rules[0].budget.cap_usd", "dollars as a decimal"),
    (budget("cap_usd: '1,000'"), "spec.rules[0].budget.cap_usd", "dollars as a decimal"),
    (budget("cap_usd: '1_000'"), "spec.rules[0].budget.cap_usd", "dollars as a decimal"),
    (budget("cap_usd: ' 1'"), "spec.rules[0].budget.cap_usd", "dollars as a decimal"),
    (budget("cap_usd: '٥'"), "spec.rules[0].budget.cap_usd", "dollars as a decimal"),
    (budget("cap_usd: '0.0000000001'"), "spec.rules[0].budget.cap_usd", "at most nine decimals"),
    (budget("cap_usd: '5000000000'"), "spec.rules[0].budget.cap_usd", "less than 2^62"),
    (budget("cap_usd: '1', per: [team, team]"), "spec.rules[0].budget.per", "no entry twice"),
    (budget("cap_usd: '1', per: team"), "spec.rules[0].budget.per", "a list"),
    (
        budget("cap_usd: '1', warn_at_percent: [50, 50]"),
        "spec.rules[0].budget.warn_at_percent",
        "no entry twice",
    ),
    (budget("cap_usd: '1', warn_at_percent: [0]"), "spec.rules[0].budget.warn_at_percent[0]", "at least 1"),
    (
        budget("cap_usd: '1', warn_at_percent: [101]"),
        "spec.rules[0].budget.warn_at_percent[0]",
        "at most 100",
    ),
    (
        budget("cap_usd: '1', warn_at_percent: [5.0]"),
        "spec.rules[0].budget.warn_at_percent[0]",
        "a whole number",
    ),
    (
        budget(f"cap_usd: '1', warn_at_percent: [{'9' * 5000}]"),
        "spec.rules[0].budget.warn_at_percent[0]",
        "whole",
    ),
    (budget("cap_usd: "), "spec.rules[0].budget.cap_usd", "leave the field out"),
    (budget("cap_usd: *x"), "spec.rules[0].budget.cap_usd", "no aliases"),
    (budget("cap_usd: !!str 5"), "spec.rules[0].budget.cap_usd", "no tags"),
    (budget("cap_usd: '1', cap_usd: '2'"), "spec.rules[0].budget.cap_usd", "each field once"),
    (budget("cap_usd: '1', <<: {per: [team]}"), "spec.rules[0].budget.(not an identifier)", "unknown field"),
    (budget("cap_usd: '1', ? [per] : x"), "spec.rules[0].budget", "a plain field name"),
    (in_rule("{budget: {cap_usd: '1', on_breach: deny}}"), WINDOW, "required"),
    (in_rule("{budget: {cap_usd: '1', on_breach: deny, window: month}}"), WINDOW, "exactly one of calendar"),
    (in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {}}}"), WINDOW, "exactly one of calendar"),
    (
        in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {rolling: 1h, calendar: day}}}"),
        WINDOW,
        "exactly one of calendar, rolling, lifetime",
    ),
    (
        in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {rolling: 1w}}}"),
        f"{WINDOW}.rolling",
        "90m, 24h",
    ),
    (
        in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {rolling: 401d}}}"),
        f"{WINDOW}.rolling",
        "400d",
    ),
    (
        in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {lifetime: 1}}}"),
        f"{WINDOW}.lifetime",
        "true",
    ),
    (
        in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {calendar: day, week_starts: sunday}}}"),
        WINDOW,
        "week_starts only with calendar: week",
    ),
    (in_rule("{boundary: {on_breach: deny}}"), "spec.rules[0].boundary", "at least one of models"),
    (
        in_rule("{boundary: {on_breach: deny, models: {}}}"),
        "spec.rules[0].boundary.models",
        "allow, deny or both",
    ),
    (in_rule("{review: {when: {}}}"), "spec.rules[0].review.when", "at least one of cost_usd_over"),
    (in_rule("{}"), "spec.rules[0]", "exactly one of budget, boundary, review"),
    (in_rule("3"), "spec.rules[0]", "fields"),
    (HEAD + "spec: {rules: []}", "spec.rules", "at least 1"),
    (HEAD + "spec: {rules: {}}", "spec.rules", "a list"),
    (HEAD.replace("{name: a}", "{name: a b}") + "spec: {rules: []}", "metadata.name", "printable ASCII"),
    (HEAD.replace("{name: a}", "{name: 1}") + "spec: {rules: []}", "metadata.name", "put it in quotes"),
    (SOUND.replace("spec: {", "spec: {scope: {team: marketing}, "), "spec.scope.team", "a list"),
    (SOUND.replace("spec: {", "spec: {scope: {team: []}, "), "spec.scope.team", "at least 1"),
    (SOUND.replace("spec: {", "spec: {scope: {team: [1.5]}, "), "spec.scope.team[0]", "put it in quotes"),
    ("[]", "", "fields"),
    ("", "", "a policy, and there is none"),
    ("---\n---\n", "", "a policy, and there is none"),
    ("a: b: c", "", "mapping values are not allowed here"),
    ("a: [", "", "valid YAML or JSON"),
    ("a: \x07", "", "printable text"),
    ('a: "\\UFFFFFFFF"', "", "valid YAML or JSON"),
    ('a: "\\U00110000"', "", "valid YAML or JSON"),
    ("x" * (MAX_BYTES + 1), "", "at most 1 MiB"),
]


@pytest.mark.parametrize(("text", "field", "expected"), GOTCHAS)
def test_what_a_person_gets_wrong_is_told_by_field(text: str, field: str, expected: str) -> None:
    told = [problem.expected for problem in problems_of(text) if problem.field == field]
    assert any(expected in each for each in told)
    assert all(each.startswith(("expected", "unknown field", "required")) for each in told)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        (SOUND.replace("kind", "kinde"), "kind"),
        (SOUND.replace("max_cost_usd", "max_cost"), "max_cost_usd"),
        (SOUND.replace("max_cost_usd", "Max-Cost-USD"), "max_cost_usd"),
        (SOUND.replace("deny", "dney"), "deny"),
        (SOUND.replace("boundary", "bondary"), "boundary"),
        (SOUND.replace("spec: {", "spec: {scope: {exclude: {worflow: [a]}}, "), "workflow"),
        (SOUND.replace("spec: {", "spec: {enforcement: {fail_mod: closed}, "), "fail_mode"),
        (in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {calender: day}}}"), "calendar"),
        (in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {calendar: dya}}}"), "day"),
        (
            in_rule("{budget: {cap_usd: '1', on_breach: deny, window: {calendar: day, timezone: Europe/Berln}}}"),
            "Europe/Berlin",
        ),
    ],
)
def test_one_problem_names_the_word_that_was_meant(text: str, near: str) -> None:
    (problem,) = problems_of(text)
    assert problem.nearest == near


def test_every_part_of_a_policy_can_name_the_fields_it_knows() -> None:
    seen: set[type[BaseModel]] = set()

    def below(part: type[BaseModel]) -> None:
        seen.add(part)
        for field in part.model_fields.values():
            for each in models_in(field.annotation) - seen:
                below(each)

    below(PARTS[""])
    assert seen == set(PARTS.values())


def models_in(annotation: Any) -> set[type[BaseModel]]:
    """The models that a field may hold, however deep within unions and lists."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for each in get_args(annotation) for found in models_in(each)}


def test_a_place_is_the_line_and_column_of_what_is_wrong() -> None:
    text = (
        "apiVersion: spendgate/v1\n"
        "kind: Policies\n"
        "metadata:\n"
        "  name: a\n"
        "  ownr: b\n"
        "spec:\n"
        "  scope:\n"
        "    team:\n"
        "    vendor: [x, 'a b']\n"
        "  rules:\n"
        "    - budget: {cap_usd: 5, on_breach: deny}\n"
    )
    assert [(problem.place, problem.field) for problem in problems_of(text)] == [
        ((2, 7), "kind"),
        ((5, 3), "metadata.ownr"),
        ((8, 5), "spec.scope.team"),
        ((9, 17), "spec.scope.vendor[1]"),
        ((11, 15), "spec.rules[0].budget.window"),
        ((11, 25), "spec.rules[0].budget.cap_usd"),
    ]


def test_the_message_has_one_line_for_each_problem() -> None:
    with pytest.raises(PolicyErrors) as caught:
        read_policy(SOUND.replace("deny", "dney").replace("kind:", "knd:"), "team/a.yaml")
    assert str(caught.value).splitlines() == [
        "team/a.yaml:2:1: knd: unknown field (did you mean `kind`?)",
        (
            "team/a.yaml:4:58: spec.rules[0].boundary.on_breach: "
            "expected one of warn, review, deny (did you mean `deny`?)"
        ),
    ]


def test_a_file_may_hold_several_policies() -> None:
    text = f"---\n{SOUND}---\n# nothing\n---\n{SOUND.replace('name: a', 'name: b')}...\n"
    assert [policy.metadata.name for policy in read_policies(text, "file")] == ["a", "b"]
    with pytest.raises(PolicyErrors, match="expected one policy, found 2"):
        read_policy(text, "file")


def test_a_faulty_policy_does_not_hide_a_sound_one() -> None:
    sourced, problems = check_text(f"{SOUND.replace('kind', 'kid')}---\n{SOUND}", "file")
    assert [each.place(("metadata", "name")) for each in sourced] == [(8, 18)]
    assert [problem.place.line for problem in problems] == [2]


def test_bytes_are_utf_8_with_or_without_a_mark() -> None:
    for raw in (SOUND.encode(), SOUND.encode("utf-8-sig")):
        sourced, problems = check_bytes(raw, "file")
        assert len(sourced) == 1
        assert problems == []
    for raw in (b"a: 1\nb: \xff", SOUND.encode("utf-16")):
        assert [problem.expected for problem in check_bytes(raw, "file")[1]] == ["expected UTF-8 text"]
    assert check_bytes(b"x" * (MAX_BYTES + 1), "file")[1][0].expected == "expected at most 1 MiB"


@pytest.mark.parametrize("opening", ["[", "[\n", "{", "{a: ", "- ", "? ", '{"a":[', "{{x}: "])
@pytest.mark.timeout(30)
def test_deep_nesting_is_refused_at_once(opening: str) -> None:
    (problem,) = problems_of(opening * 50_000)
    assert problem.expected == "expected at most 32 levels"


def test_json_escapes_are_read_as_json_means_them() -> None:
    document = {
        "apiVersion": "spendgate/v1",
        "kind": "Policy",
        "metadata": {"name": "a/b", "description": "naïve 😀\n/"},
        "spec": {"rules": [{"boundary": {"max_cost_usd": "1", "on_breach": "deny"}}]},
    }
    for text in (
        json.dumps(document),
        json.dumps(document).replace("/", "\\/"),
        json.dumps(document, indent="\t"),
    ):
        assert read_policy(text, "file") == Policy.model_validate(document)


def _paths(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(deeper for key, value in items for deeper in _paths(value, (*path, key)))]


def _replaced(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = node.copy()
    copy[path[0]] = _replaced(node[path[0]], path[1:], value)
    return copy


@given(documents(), st.data())
def test_no_value_is_ever_repeated(document: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(_paths(document)[1:]), label="path")
    planted = data.draw(st.sampled_from([PLANTED, [PLANTED], {PLANTED: PLANTED}, {"team": {PLANTED: [PLANTED]}}]))
    if path[-1] == "description" and planted == PLANTED:
        planted = [PLANTED]
    for problem in problems_of(json.dumps(_replaced(document, path, planted))):
        assert "SENTINEL" not in problem.line_of("file")


@given(documents(), st.data())
def test_a_text_cut_or_spoilt_anywhere_is_read_or_refused(document: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(document, indent=1)
    at = data.draw(st.integers(0, len(text)), label="at")
    spoilt = text[:at] + data.draw(st.text(max_size=3), label="with") + text[at + 1 :]
    sourced, problems = check_text(spoilt, "file")
    assert sourced or problems


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    sourced, problems = check_text(text, "file")
    assert bool(sourced) != bool(problems)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    sourced, problems = check_bytes(raw, "file")
    assert bool(sourced) != bool(problems)
