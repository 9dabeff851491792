"""Laws of the cases that a policy file carries: they are no part of the policy, and judge as the live path does."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from spendgate.cli.policy_tests import run as cases_command
from spendgate.model.canonical import canonical_bytes, policy_hash, usd_text
from spendgate.model.event import SCOPE_FIELDS, Event
from spendgate.model.policy import Policy
from spendgate.model.policy_cases import CaseCall, CaseReason, PolicyCase
from spendgate.model.policy_source import Sourced, check_text
from spendgate.simulate.cases import CaseResult, run_case
from tests.golden_cases import Case, Entry, load_cases
from tests.model.policies import documents

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
HEAD = """apiVersion: spendgate/v1
kind: Policy
metadata: {name: small}
spec:
  scope: {team: [a]}
  rules: [{budget: {cap_usd: "10", window: {calendar: day}, warn_at_percent: [80], on_breach: deny}}]
"""
FAILING = """tests:
  - name: what fits
    defaults: {team: a, cost_usd: "10"}
    events:
      - {expect: warn}
  - name: what does not
    defaults: {team: a}
    events:
      - {cost_usd: "9", expect: warn}
      - {cost_usd: "2", expect: warn, because: {code: near_cap, used_before_usd: "8.5"}}
"""
app = typer.Typer()
app.command()(cases_command)


def sourced(text: str) -> Sourced:
    found, problems = check_text(text, "file")
    assert problems == []
    return found[0]


def answers(events: str, defaults: str = "{team: a}") -> CaseResult:
    each = sourced(f"{HEAD}tests: [{{name: x, defaults: {defaults}, events: {events}}}]\n")
    return run_case(each.policy, each.cases[0])


def run_with_cost(events: str) -> CaseResult:
    return answers(events, '{team: a, cost_usd: "1"}')


def command(*arguments: Path | str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    path = tmp_path / "failing.yaml"
    path.write_text(HEAD + FAILING, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_has_cases_and_passes_them(path: Path) -> None:
    code, output = command(path)
    assert (code, " ok " in output) == (0, True)


@given(documents(), st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=9))
def test_cases_are_no_part_of_a_version(document: dict[str, Any], name: str) -> None:
    cases = [{"name": name, "events": [{"expect": "approve"}]}]
    plain, tested = sourced(json.dumps(document)), sourced(json.dumps({**document, "tests": cases}))
    assert (plain.cases, len(tested.cases)) == ((), 1)
    assert canonical_bytes(tested.policy) == canonical_bytes(plain.policy)
    assert type(tested.policy) is Policy
    assert policy_hash(tested.policy) == policy_hash(plain.policy)


def test_a_case_can_state_every_field_that_a_rule_reads() -> None:
    fields = set(CaseCall.model_fields) - {"cost_usd"}
    assert fields <= set(Event.__struct_fields__)
    assert {*SCOPE_FIELDS, "input_tokens", "output_tokens", "evidence_status"} <= fields
    assert "because" not in CaseReason.model_fields


def as_event(entry: Entry, number: int) -> dict[str, Any]:
    """A call of a golden case as an event of a policy's case."""
    said = {name: getattr(entry, name) for name in CaseCall.model_fields if hasattr(entry, name)}
    said |= {"id": entry.id or f"call-{number}", "time": entry.at.isoformat(), "expect": entry.expect}
    said |= {"received_at": (entry.received or entry.at).isoformat()}
    if entry.cost_usd == "unknown":
        said["cost_usd"] = None
    reason = entry.reason.model_dump(exclude_none=True) if entry.reason else {}
    known = {name: value for name, value in reason.items() if name in CaseReason.model_fields}
    if known and reason.keys().isdisjoint({"policy", "staging"}):
        said["because"] = known
    return {name: value for name, value in said.items() if value is not None}


def plain_cases() -> list[Case]:
    """Golden cases of one policy, staged before all of its calls, whose every call the policy looks at."""
    found = [case for case in load_cases() if len(case.policies) == 1 and all(entry.is_call for entry in case.log)]
    return [case for case in found if all(entry.listed != 0 for entry in case.log)]


@pytest.mark.parametrize("golden", plain_cases(), ids=lambda case: case.case)
def test_a_golden_case_holds_as_a_case_of_its_policy(golden: Case) -> None:
    events = [as_event(entry, number) for number, entry in enumerate(golden.log)]
    case = PolicyCase.model_validate({"name": golden.case, "events": events})
    for answer in run_case(golden.policies[0], case).answers:
        assert [each for each in answer.differences if each.got != "out_of_scope"] == []


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=6))
def test_an_admitted_sum_is_what_the_cases_say(costs: list[int]) -> None:
    admitted, events = 0, []
    for cost in costs:
        fits = admitted + cost <= 10 * 10**9
        verdict = "deny" if not fits else "warn" if admitted + cost >= 8 * 10**9 else "approve"
        because = {"rule": 0, "used_before_usd": usd_text(admitted)}
        events.append({"cost_usd": usd_text(cost), "expect": verdict, "because": because})
        admitted += cost if fits else 0
    assert answers(json.dumps(events)).passed


def test_times_and_identities_have_defaults() -> None:
    found = answers(
        '[{expect: approve, cost_usd: "1"}, {time: "2026-02-01T00:00:00+01:00", expect: review}, {expect: review}]'
    )
    assert [answer.event.id for answer in found.answers] == ["event-1", "event-2", "event-3"]
    times = [answer.event.time.isoformat() for answer in found.answers]
    assert times == ["2026-01-05T12:00:00+00:00", "2026-01-31T23:00:00+00:00", "2026-01-31T23:01:00+00:00"]
    assert found.passed


def test_out_of_scope_is_no_approval_and_a_repeat_no_decision() -> None:
    events = "[{id: x, expect: approve}, {id: x, expect: duplicate}, {team: b, expect: out_of_scope}]"
    assert run_with_cost(events).passed
    wrong = run_with_cost(events.replace("out_of_scope", "approve").replace("duplicate", "approve"))
    assert [answer.got for answer in wrong.answers if answer.differences] == ["duplicate", "out_of_scope"]


@given(st.sampled_from(["approve", "warn", "review", "deny", "out_of_scope", "duplicate"]))
def test_only_what_came_out_passes(expected: str) -> None:
    assert answers(f'[{{cost_usd: "11", expect: {expected}}}]').passed == (expected == "deny")


def test_a_reason_that_is_not_there_is_a_difference() -> None:
    (answer,) = answers('[{cost_usd: "1", expect: approve, because: {rule: 3, code: over_cap}}]').answers
    assert [each.field for each in answer.differences] == ["because"]


def test_a_failing_case_is_1_and_told_by_event(failing: Path) -> None:
    code, output = command(failing)
    assert code == 1
    assert "ok    what fits (1 event)" in output
    assert f"FAIL  what does not ({failing}:12)" in output
    assert "event 2: 2026-01-05 12:01 UTC, team=a, $2.00" in output
    assert "verdict: expected warn, got deny" in output
    assert "used before: expected $8.50, got $9.00" in output
    assert "rule 0: small: over the cap of $10.00" in output
    assert "1 of 2 cases passed" in output


def test_json_says_the_same(failing: Path) -> None:
    code, output = command(failing, "--json")
    found = json.loads(output)
    assert (code, found["ok"]) == (1, False)
    passed, failed = found["policies"][0]["cases"]
    assert (passed["passed"], failed["passed"]) == (True, False)
    fields = {each["field"]: (each["expected"], each["got"]) for each in failed["events"][1]["differences"]}
    assert fields["used_before_nano_usd"] == (8_500_000_000, 9_000_000_000)


def test_k_selects_by_name_and_must_select_something(failing: Path) -> None:
    assert command(failing, "-k", "FITS")[0] == 0
    assert command(failing, "-k", "does not")[0] == 1
    assert command(failing, "-k", "nothing like it")[0] == 2


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ("{}", "tests[0].events[0].expect"),
        ("{expect: refuse}", "tests[0].events[0].expect"),
        ("{expect: deny, cost_usd: 1}", "tests[0].events[0].cost_usd"),
        ("{expect: deny, cost_usd: '99999999'}", "tests[0].events[0].cost_usd"),
        ("{expect: deny, time: 2026-01-05}", "tests[0].events[0].time"),
        ("{expect: deny, time: '2026-02-30T00:00:00Z'}", "tests[0].events[0].time"),
        ("{expect: deny, tema: a}", "tests[0].events[0].tema"),
        ("{expect: deny, because: {cod: over_cap}}", "tests[0].events[0].because.cod"),
    ],
)
def test_a_case_that_cannot_be_read_is_2_and_names_the_field(tmp_path: Path, event: str, field: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(f"{HEAD}tests:\n  - name: x\n    events:\n      - {event}\n", encoding="utf-8")
    code, output = command(path)
    assert code == 2
    assert f": {field}: " in output
