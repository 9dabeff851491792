"""Laws of the gate: what keeps it shut, that it shows everything, and when it could open."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spendgate.model.reconciliation import Interval, Thresholds
from spendgate.model.reconciliation_parts import Lag, LedgerResult
from spendgate.model.settings import Settings
from spendgate.reconcile.gate import Evidence, Gate, gate, instant_ms
from spendgate.reconcile.gate_rules import WAIVABLE, GateRules
from tests.reconcile.results import (
    BOUNDARY,
    DAILY,
    NOW,
    NOW_MS,
    RULES,
    bill,
    counters,
    evidence,
    policy_of,
    reconciliation,
    subject,
)

FAULTS: dict[str, dict[str, Any]] = {
    "differences": {"differing": 1},
    "unexplained": {"differing": 1, "unexplained": 1},
    "coverage": {"ledger": LedgerResult(lacking=2, behind=0)},
    "offsets": {"ledger": LedgerResult(lacking=0, behind=0, past_end=1)},
    "counters": {"counters": counters(3)},
    "lag": {"lag": Lag(decisions=9, p50_ms=1, p99_ms=90_000, max_ms=90_000, over=1, waiting=0)},
    "bill": {"bill": bill(10_000_001)},
}
LACKS: dict[str, dict[str, Any]] = {
    "events": {"looked": 999}, "hours": {"hours": 23}, "windows": {"windows": (0, 1)}, "near_cap": {"near_cap": 0},
    "offsets": {"ledger": LedgerResult(lacking=0)}, "counters": {"counters": None}, "lag": {"lag": None},
    "bill": {"bill": bill(final=False)},
}  # fmt: skip


def opened(*found: Evidence, waivers: dict[str, str] | None = None, rules: GateRules = RULES, at: int = NOW_MS,
           **of: Any) -> Gate:  # fmt: skip
    return gate(found, subject(**of), rules, waivers or {}, at)


def named(found: Gate, name: str) -> str:
    return next(each.counts for each in found.criteria if each.name == name)


def test_what_passed_opens_it() -> None:
    found = opened(evidence())
    assert (found.state, found.missing, found.ready_at_earliest_ms) == ("ready", (), None)
    assert found.round is not None


@given(st.sets(st.sampled_from(sorted(FAULTS))), st.sets(st.sampled_from(sorted(LACKS))))
def test_a_fault_blocks_what_is_not_known_keeps_observing_and_all_is_shown(faults: set[str], lacks: set[str]) -> None:
    measured: dict[str, Any] = {}
    for name in sorted(lacks):
        measured |= LACKS[name]
    for name in sorted(faults):
        measured |= FAULTS[name]
    found = opened(evidence(reconciliation(**measured)))
    outcomes = {each.name: each.outcome for each in found.criteria}
    whole = opened(evidence())
    assert [each.name for each in found.criteria] == [each.name for each in whole.criteria]
    wanted = (
        "blocked" if "fail" in outcomes.values() else "observing" if "inconclusive" in outcomes.values() else "ready"
    )
    assert found.state == wanted
    assert found.state == ("blocked" if faults else "observing" if lacks else "ready")
    assert len(found.missing) == sum(each != "pass" for each in outcomes.values())
    assert (found.ready_at_earliest_ms is None) == (found.state == "ready")


def test_without_a_reconciliation_every_criterion_is_shown_as_not_known() -> None:
    found = opened()
    assert found.state == "observing"
    assert [each.name for each in found.criteria] == [each.name for each in opened(evidence()).criteria]
    assert {each.outcome for each in found.criteria if each.name != "found_since"} == {"inconclusive"}
    assert len(found.missing) == 1
    assert "there has been none" in found.missing[0]
    boundary = policy_of(BOUNDARY)
    assert {each.name for each in opened(policy=boundary).criteria} >= {"answers", "hours"}
    assert not {"windows", "near_cap"} & {each.name for each in opened(policy=boundary).criteria}


@pytest.mark.parametrize("name", WAIVABLE)
def test_a_recorded_waiver_counts_and_the_outcome_stays_what_it_is(name: str) -> None:
    of = subject(policy_of(BOUNDARY))
    measured: dict[str, Any] = {"near_cap": None, "windows": (0, 0), "answers": (1, 1)}
    lacking: dict[str, dict[str, Any]] = {"bill": {"bill": None}, "answers": {"answers": (0, 1)}}
    measured |= lacking[name]
    round_ = evidence(reconciliation(of, **measured))
    assert gate([round_], of, RULES, {}, NOW_MS).state == "observing"
    found = gate([round_], of, RULES, {name: "the vendor sends none"}, NOW_MS)
    assert found.state == "ready"
    criterion = next(each for each in found.criteria if each.name == name)
    assert (criterion.outcome, criterion.waiver) == ("inconclusive", "the vendor sends none")


@pytest.mark.parametrize("name", sorted(set(FAULTS) - set(WAIVABLE)))
def test_what_was_found_wrong_cannot_be_waived(name: str) -> None:
    round_ = evidence(reconciliation(**FAULTS[name]))
    assert opened(round_, waivers=dict.fromkeys(FAULTS, "please")).state == "blocked"


def test_a_waiver_that_only_the_reconciliation_was_told_of_does_not_count() -> None:
    result = reconciliation(bill=None)
    told = [msgspec.structs.replace(each, waiver="x") if each.name == "bill" else each for each in result.criteria]
    assert opened(evidence(msgspec.structs.replace(result, criteria=tuple(told), outcome="pass"))).state == "observing"


@pytest.mark.parametrize(
    ("criterion", "of"),
    [
        ("settings", {"settings": Settings(grace_hours=1)}),
        ("engine", {"engine_version": "1+tzdata.2020.1"}),
        ("staging", {"staging": "stg-2"}),
        ("staging", {"hash": "f" * 64}),
    ],
)
def test_what_was_proven_of_something_else_proves_nothing(criterion: str, of: dict[str, Any]) -> None:
    found = opened(evidence(), **of)
    assert (found.state, named(found, criterion)) == ("observing", "inconclusive")


def test_other_criteria_have_to_be_measured_anew() -> None:
    stricter = GateRules(near_cap_percent=5)
    found = opened(evidence(), rules=stricter)
    assert (found.state, named(found, "thresholds")) == ("observing", "inconclusive")
    assert opened(evidence(reconciliation(thresholds=stricter.thresholds)), rules=stricter).state == "ready"


@given(st.integers(0, 24 * 14))
def test_evidence_grows_old(hours: int) -> None:
    found = opened(evidence(), at=NOW_MS + hours * 3_600_000)
    assert (found.state == "ready") == (hours <= RULES.max_age_hours)
    later = evidence(recorded_ms=NOW_MS + hours * 3_600_000)
    assert (opened(later, at=later.recorded_ms).state == "ready") == (hours < 7 * 24)


def test_it_goes_by_the_latest_round_and_a_fault_found_on_demand_closes_it_until_the_next() -> None:
    good, bad = reconciliation(), reconciliation(differing=1)
    assert opened(evidence(bad), evidence(good, id_="rec-2")).state == "ready"
    assert opened(evidence(good), evidence(bad, id_="rec-2")).state == "blocked"
    asked = evidence(bad, id_="rec-2", on_demand=True)
    found = opened(evidence(good), asked)
    assert (found.state, named(found, "found_since"), named(found, "differences")) == ("blocked", "fail", "pass")
    assert opened(evidence(good), asked, evidence(good, id_="rec-3")).state == "ready"
    part = evidence(reconciliation(looked=3), id_="rec-2", on_demand=True)
    assert opened(evidence(good), part).state == "ready"
    assert opened(part).state == "observing"


def at(text: str) -> int:
    return instant_ms(datetime.fromisoformat(text))


BERLIN = "budget: {cap_usd: '5', window: {calendar: month, timezone: Europe/Berlin}, on_breach: deny}"
ROLLING = "budget: {cap_usd: '5', window: {rolling: 48h}, on_breach: deny}"
YEAR = "budget: {cap_usd: '5', window: {calendar: year}, on_breach: deny}"
LIFETIME = "budget: {cap_usd: '5', window: {lifetime: true}, on_breach: deny}"


@pytest.mark.parametrize(
    ("rules", "earliest"),
    [
        ([DAILY], "2026-06-17T00:00:00+00:00"),
        ([BERLIN], "2026-07-31T22:00:00+00:00"),
        ([ROLLING], "2026-06-17T12:00:00+00:00"),
        ([YEAR], "2026-07-15T12:00:00+00:00"),
        ([LIFETIME, DAILY], "2026-07-15T12:00:00+00:00"),
        ([BOUNDARY], "2026-06-16T12:00:00+00:00"),
    ],
)
def test_the_earliest_is_when_hours_and_a_full_window_of_every_budget_have_passed(
    rules: list[str], earliest: str
) -> None:
    of = subject(policy_of(*rules), since_ms=NOW_MS)
    assert gate([], of, RULES, {}, NOW_MS).ready_at_earliest_ms == at(earliest)


def test_after_a_fault_all_of_it_has_to_be_observed_anew() -> None:
    found = opened(evidence(reconciliation(differing=1)))
    assert found.ready_at_earliest_ms == at("2026-06-17T00:00:00+00:00")
    repaired = opened(evidence(reconciliation(counters=counters(2))))
    assert repaired.ready_at_earliest_ms == NOW_MS


def test_what_was_observed_already_counts_for_the_earliest() -> None:
    begun = NOW - timedelta(hours=20)
    result = reconciliation(observed=Interval(from_=begun, to=NOW), hours=20, windows=(0, 1))
    assert opened(evidence(result)).ready_at_earliest_ms == at("2026-06-16T00:00:00+00:00")
    assert opened(evidence(reconciliation(near_cap=0))).ready_at_earliest_ms == NOW_MS


def test_the_thresholds_of_the_rules_are_those_of_a_reconciliation_and_its_defaults() -> None:
    assert RULES.thresholds == Thresholds()
    assert set(Thresholds.__struct_fields__) < set(GateRules.model_fields)


@pytest.mark.parametrize("field", GateRules.model_fields)
def test_each_criterion_has_limits(field: str) -> None:
    for value in (-1, 10**13, 1.5, True, None, "7"):
        with pytest.raises(ValidationError):
            GateRules.model_validate({field: value})
    msgspec.json.decode(msgspec.json.encode(GateRules().thresholds), type=Thresholds)
