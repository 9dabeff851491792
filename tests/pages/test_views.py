"""Laws of what pages say, without a server."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway_shadow.documents import StagingDocument, VersionDocument
from gateway_shadow.gates.documents import CriterionDocument
from gateway_shadow.pages import gate_view, policies_view, words
from gateway_shadow.pages.design_form import FRESH, form_of, text_of, with_rule, without_rule
from gateway_shadow.pages.design_view import caps_around, look, names_of, said_by
from gateway_shadow.pages.ledger_versions import KEPT_S, Read, Versions
from gateway_shadow.pages.merging import merged_text
from gateway_shadow.pages.overview_view import overview
from gateway_shadow.pages.simulation_view import calendar, simulation_view
from gateway_shadow.pages.tally import COLUMNS, SAMPLES, Tally, pace_nano_usd_an_hour
from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.money import parse_usd
from spendgate.model.policy import Policy
from spendgate.model.policy_merge import canonical, merge_policies
from tests.model.policies import documents
from tests.reconcile.test_reconcile import busy

TEXT = """\
# what marketing may spend
apiVersion: spendgate/v1
kind: Policy
metadata: {name: marketing-monthly, owner: finance-ai}
spec:
  scope:
    team: [marketing, growth-*]   # both of them
    exclude: {workflow: [incident-*]}
  rules:
    - budget: {cap_usd: "500", window: {calendar: month, timezone: Europe/Berlin}, per: [team], on_breach: deny}
    - boundary: {models: {deny: ["gpt-4*"]}, max_input_tokens: 100000, on_breach: deny}
    - review: {when: {cost_usd_over: "0.25"}, reviewers: ml-leads, expires: 72h}
  on_unpriced: review
"""


def said_of(text: str) -> dict[str, str]:
    """All fields of a form, as a browser sends them."""
    form = form_of(text)
    assert form is not None
    fields = dict(form.values)
    for rule in form.rules:
        fields[f"spec.rules[{rule.number}].kind"] = rule.kind
        fields |= {f"{rule.prefix}.{name}": value for name, value in rule.values.items()}
    return fields


@pytest.mark.parametrize("text", [TEXT, FRESH], ids=["written", "fresh"])
def test_a_form_that_says_what_the_text_says_leaves_it_alone_to_the_byte(text: str) -> None:
    assert text_of(text, said_of(text)) == text


TYPED = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)
names = st.sampled_from(SCOPE_FIELDS)
values = st.lists(st.from_regex(r"[a-z][a-z0-9*-]{0,8}", fullmatch=True), max_size=3, unique=True)


@given(name=names, value=values, cap=st.integers(0, 10**9))
def test_what_is_typed_into_the_form_is_what_the_policy_says_and_comments_stay(
    name: str, value: list[str], cap: int
) -> None:
    typed = {f"spec.scope.{name}": ", ".join(value), "spec.rules[0].budget.cap_usd": str(cap)}
    text = text_of(TEXT, {**said_of(TEXT), **typed})
    policy = look(text).policy
    assert policy is not None
    assert getattr(policy.spec.scope, name) == (value or None)
    assert policy.spec.rules[0].budget is not None
    assert policy.spec.rules[0].budget.cap_usd == str(cap)
    assert text.startswith("# what marketing may spend\n")
    assert said_of(text) == {**said_of(TEXT), **typed}


drawn = st.builds(Policy.model_validate, documents())


@given(drawn, drawn, drawn)
def test_a_merge_is_written_into_the_text_of_whoever_saved_second(base: Policy, theirs: Policy, mine: Policy) -> None:
    text = json.dumps(canonical(mine), indent=1)
    merged = merge_policies(base, theirs, mine)
    policy = look(merged_text(text, mine, merged)).policy
    assert policy is None or canonical(policy) == merged.document
    assert policy is not None or not is_policy(merged.document)


def is_policy(document: dict[str, Any]) -> bool:
    try:
        Policy.model_validate(document)
    except ValidationError:
        return False
    return True


def test_comments_stay_where_a_merge_changes_nothing_and_a_rule_of_theirs_stands_where_they_put_it() -> None:
    text = TEXT.replace("    - review", "    # who looks\n    - review")
    base, mine = look(text).policy, look(text.replace('"500"', '"700"')).policy
    theirs = look(with_rule(without_rule(text, 1), "review").replace("finance-ai", "treasury")).policy
    assert base is not None
    assert theirs is not None
    assert mine is not None
    merged = merge_policies(base, theirs, mine)
    made = merged_text(text.replace('"500"', '"700"'), mine, merged)
    assert merged.conflicts == []
    for line in ("# what marketing may spend", "# both of them", 'cap_usd: "700"', "owner: treasury"):
        assert line in made
    assert "boundary" not in made
    assert made.count("- review") == 2


@given(
    st.sampled_from(sorted(said_of(TEXT))), st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)
)
def test_whatever_is_typed_the_form_comes_back_with_it_or_with_an_error_at_its_field(name: str, typed: str) -> None:
    if name.endswith(".kind"):
        return
    looked = look(text_of(TEXT, {**said_of(TEXT), name: typed}))
    assert looked.form is not None
    assert looked.policy is not None or {each.at for each in looked.wrong} - {""} <= set(names_of(looked.form))
    assert (looked.policy is None) == bool(looked.wrong)


@pytest.mark.parametrize("typed", ["? a", ": a", "?a", "- a", "a: b", "{a", "a, b", "#a", "&a", "*a", "!a", "|", "'"])
def test_what_yaml_reads_otherwise_is_quoted_wherever_it_is_typed(typed: str) -> None:
    for name in said_of(TEXT):
        if not name.endswith(".kind"):
            assert form_of(text_of(TEXT, {**said_of(TEXT), name: typed})) is not None, name


def test_an_error_stands_at_its_field_wherever_it_was_typed() -> None:
    for text in (TEXT.replace('"500"', '"much"'), TEXT.replace("Europe/Berlin", "Europe/Berlim")):
        (wrong,) = look(text).wrong
        assert wrong.at in ("spec.rules[0].budget.cap_usd", "spec.rules[0].budget.window.timezone")
        assert wrong.line == 10


def test_rules_come_and_go() -> None:
    more = with_rule(with_rule(TEXT, "boundary"), "budget")
    policy = look(more).policy
    assert policy is not None
    assert len(policy.spec.rules) == 5
    assert without_rule(without_rule(more, 4), 3) == TEXT
    assert with_rule("a: [1", "budget") == "a: [1"


def test_the_text_wins_where_it_was_typed_in_and_the_form_where_it_was_not() -> None:
    changed = TEXT.replace("500", "700")
    fields = {**said_of(TEXT), "shown": TEXT}
    assert said_by({**fields, "yaml": changed}) == changed
    assert said_by({**fields, "yaml": TEXT, "spec.rules[0].budget.cap_usd": "700"}) == changed
    assert said_by({**fields, "yaml": changed, "last": "form"}) == TEXT
    assert '"0.50"' in said_by({**fields, "yaml": TEXT, "act": "add:review"})


def test_the_sweep_lies_around_the_cap() -> None:
    policy = look(TEXT).policy
    assert policy is not None
    found = caps_around(policy)
    assert found is not None
    assert (found[0], len(found[1]), found[1][9]) == (0, 30, "500")


@given(st.integers(-(10**18), 10**18))
def test_dollars_are_cut_and_never_rounded_up(nano_usd: int) -> None:
    shown = Decimal(words.usd(nano_usd).replace("$", "").replace(",", ""))
    exact = Decimal(nano_usd) / 10**9
    assert abs(shown) <= abs(exact)
    assert abs(exact - shown) < Decimal("0.01")
    assert (shown == 0) == (nano_usd == 0)


@given(st.integers(1, 2**62 - 1))
def test_a_policy_in_words_says_its_cap_exactly(cap_nano_usd: int) -> None:
    policy = look(TEXT.replace('"500"', f'"{Decimal(cap_nano_usd).scaleb(-9):f}"')).policy
    assert policy is not None
    (said,) = re.findall(r"at most \$([0-9,]+\.[0-9]{2,9}) ", policies_view.words(policy)[1])
    assert parse_usd(said.replace(",", "")) == cap_nano_usd


def _report(points: list[tuple[int, int]], accepted: int, lost: int) -> dict[str, Any]:
    """A report of a simulation: what each cap of its sweep denies (nano-USD) and loses (accepted results)."""
    none = {"calls": 0, "cost_nano_usd": 0}
    return {
        "history": {"from": None, "to": None}, "source": {"rows": 0}, "days": [], "owners": {},
        "verdicts": {"closed": dict.fromkeys(("approve", "warn", "review", "deny"), none)},
        "outcomes": {
            "all": {"accepted": {"calls": accepted, "cost_nano_usd": accepted * 10}},
            "denied": {"accepted": {"calls": lost, "cost_nano_usd": lost * 10}},
        },
        "sweep": {"what": "cap_usd", "points": [
            {"value": str(cap), "denied_nano_usd": denied, "denied_calls": 1, "lost_accepted": gone, "owners_hit": 1}
            for cap, (denied, gone) in enumerate(points, 1)
        ]},
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**6)), min_size=1, max_size=30))
def test_both_curves_of_a_sweep_fill_their_height_and_keep_their_order(points: list[tuple[int, int]]) -> None:
    found = simulation_view(_report(points, 5, 2), 10**9).points
    for numbers, heights in (
        ([each.denied_nano_usd for each in found], [each.denied_y for each in found]),
        ([each.lost_accepted for each in found], [each.lost_y for each in found]),
    ):
        assert max(heights) == (1000 if max(numbers) else 0)
        assert sorted(heights) == [height for _, height in sorted(zip(numbers, heights, strict=True))]


def test_accepted_work_is_not_said_to_be_safe_where_no_result_is_known() -> None:
    unknown = simulation_view(_report([(1, 0)], 0, 0))
    assert (unknown.lost, "lost" in unknown.points[0].words) == (None, False)
    assert simulation_view(_report([(10**9, 2)], 7, 3)).points[0].words == "$1: $1.00 denied, 2 accepted results lost"
    lost = simulation_view(_report([(1, 0)], 7, 3)).lost
    assert lost is not None
    assert (lost.calls, lost.nano_usd, lost.of_calls) == (3, 30, 7)


def test_what_was_not_measured_has_no_distance_to_at_most_nothing() -> None:
    said = CriterionDocument.model_construct(
        name="differences", outcome="inconclusive", words="", unit="calls", bound="most", threshold=0, measured=None,
        distance=0, sample=None, waiver=None,
    )  # fmt: skip
    assert gate_view.lines([said])[0].distance == "not known yet"
    assert gate_view.lines([said.model_copy(update={"measured": 0})])[0].distance == "0 calls"
    least = said.model_copy(update={"bound": "least", "threshold": 2000, "distance": 2000})
    assert gate_view.lines([least])[0].distance == "2,000 calls", "so many are wanted still"


def test_a_policy_that_was_submitted_without_a_simulation_is_not_said_to_have_one() -> None:
    version = VersionDocument.model_construct(hash="h", number=1, author="eda", state="draft")
    asked = StagingDocument.model_construct(hash="h", state="submitted", decided_by=None)
    told = policies_view.steps(version, [asked], one_person=False)[1]
    assert told.is_done
    assert "without a simulation" in told.what


@given(st.integers(0, 10**9))
def test_a_duration_has_at_most_two_units(seconds: int) -> None:
    assert len(words.duration(seconds).split()) in (2, 4) or seconds == 0


def test_a_time_is_markup_and_what_is_no_time_a_dash() -> None:
    shown = words.when(datetime(2026, 5, 1, 10, tzinfo=UTC))
    assert (
        shown == '<time datetime="2026-05-01T10:00:00Z" title="2026-05-01 10:00:00 UTC">2026-05-01 10:00:00 UTC</time>'
    )
    assert words.when(None) == words.NONE


@given(st.lists(st.integers(1, 39), max_size=3), st.booleans())
def test_a_tally_is_the_same_however_the_log_is_cut_and_whatever_is_published_again(
    cuts: list[int], again: bool
) -> None:
    _, decisions, _ = busy()
    whole, parts = Tally(), Tally()
    whole.add(rows_of(decisions))
    ends = [0, *sorted(cuts), len(decisions)]
    for first, last in pairwise(ends):
        parts.add(rows_of(decisions[max(0, first - 5 * again) : last]))
    assert (parts.days, parts.levels, parts.decisions) == (whole.days, whole.levels, whole.decisions)
    assert parts.decisions == len(decisions)
    spent = sum(each.spent_nano_usd for each in parts.days.values())
    assert spent == sum(each.cost_nano_usd or 0 for each in decisions)


@given(st.integers(0, 50))
def test_hours_that_are_left_out_change_no_pace_of_the_last_day(hours: int) -> None:
    _, decisions, _ = busy()
    whole, later = Tally(), Tally()
    now = max(each.event_time for each in decisions) + timedelta(hours=hours)
    later.since = now - timedelta(hours=SAMPLES)
    for tally in (whole, later):
        tally.add(rows_of(decisions))
    assert whole.levels.keys() == later.levels.keys()
    for key, level in whole.levels.items():
        other = later.levels[key]
        assert replace(level, samples={}) == replace(other, samples={})
        assert pace_nano_usd_an_hour(level, now) == pace_nano_usd_an_hour(other, now)


def test_drafts_keep_to_a_version_of_the_ledger_for_a_while() -> None:
    now = [0.0]
    versions = Versions(lambda: now[0])
    assert versions.of("acme") is None
    versions.keep("acme", Read(7, None))
    now[0] = KEPT_S - 1
    assert versions.of("acme") == Read(7, None)
    assert versions.of("other") is None
    now[0] = KEPT_S
    assert versions.of("acme") is None
    versions.keep("acme", Read(8, None))
    versions.forget("acme")
    assert versions.of("acme") is None


def test_the_overview_counts_what_the_decisions_say() -> None:
    _, decisions, _ = busy()
    tally = Tally()
    tally.add(rows_of(decisions))
    now = max(each.event_time for each in decisions) + timedelta(minutes=1)
    view = overview(tally, [], now)
    assert sum(each.sum.calls for each in view.bars) == len(decisions)
    assert sum(each.sum.denied for each in view.bars) == sum(each.verdict == "deny" for each in decisions)
    assert view.budgets == []


def test_a_calendar_has_every_day_once() -> None:
    quiet: Any = {verdict: {"calls": 0, "cost_nano_usd": 0} for verdict in ("approve", "warn", "review", "deny")}
    loud: Any = {**quiet, "deny": {"calls": 3, "cost_nano_usd": 9}}
    found = calendar([{"day": "2026-05-01", **loud}, {"day": "2026-05-11", **quiet}])
    assert [each.day.day for each in found] == list(range(1, 12))
    assert [each.level for each in found] == [4, *[0] * 10]
    assert {(each.column, each.row) for each in found} == {((4 + n) // 7, (4 + n) % 7) for n in range(11)}


def rows_of(decisions: list[Any]) -> pa.Table:
    """The columns that a tally reads, as the ledger has them."""
    return pa.Table.from_pylist([
        {
            "topic_id": "t", "partition": 0, "offset": each.position.offset, "index": 0,
            "position_offset": each.position.offset, "position_index": each.position.index,
            "event_time": each.event_time, "decided_at": each.decided_at, "verdict": each.verdict,
            "cost_nano_usd": each.cost_nano_usd,
            "reasons": [{name.partition(".")[2]: getattr(reason, name.partition(".")[2])
                         for name in COLUMNS if name.startswith("reasons.")} for reason in each.reasons],
        }
        for each in decisions
    ])  # fmt: skip
