"""A ledger of a run that was right passes; each fault that is put in is found at its call, and its cause is named."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendgate.ledger.decision_rows import decision_batch_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place
from spendgate.model.activation import Activation
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision, Reason
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import Reconciliation
from spendgate.reconcile.asked import Proofs, Wanted
from spendgate.reconcile.bounds import upper_bound
from spendgate.reconcile.run import reconcile
from tests.engine.evaluate import evaluate
from tests.engine.scenes import TENANT, budget, call, examples, log_of, policy, staged
from tests.oracle.documents import Record
from tests.recorded import record
from tests.strategies import Log, logs

SAID = ("spend-decisions-id", 0)
"""The topic id and the partition of the decisions."""
WRITTEN = examples(15)
WAIVED = Proofs(waived={"offsets": "no Kafka here", "counters": "no Redis here", "bill": "no bill here"})

CAPPED = policy(budget("10", {"rolling": "60m"}, per=["team"]), name="capped")
OTHER = policy(budget("1000", {"calendar": "day", "timezone": "UTC"}), name="other")


def write(root: Path, records: list[Record], decisions: list[Decision]) -> Ledger:
    """A ledger of a log, and of what was published about it."""
    record(root, records)
    places = [Place(*SAID, n, 0, datetime(2026, 5, 1, tzinfo=UTC)) for n in range(len(decisions))]
    if decisions:
        LedgerTable(root).append(
            "decisions", [decision_batch_of(decisions, places)], SAID, len(decisions) - 1, first_offset=0
        )
    return Ledger.open(root)


def reconciled(
    records: list[Record], decisions: list[Decision], policies: dict[str, Policy], **wanted: Any
) -> Reconciliation:
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), records, decisions)
        return reconcile(ledger, policies, Wanted(**{"tenant": TENANT, **wanted}), WAIVED)


def kinds(found: Reconciliation) -> list[tuple[str, str, int]]:
    """Kind, cause and number of all differences."""
    return [(each.kind, each.cause, each.calls) for each in found.differences]


def begun(which: Policy, **fields: Any) -> Activation:
    """An activation under the policy's own hash, as a file of it has it."""
    return msgspec.structs.replace(staged(which, **fields), hash=policy_hash(which))


def busy(count: int = 40) -> tuple[list[Record], list[Decision], dict[str, Policy]]:
    """A call each minute, of a dollar, by two teams, and what is owed. e17 settles a check."""
    checks = {17: "chk-17"}
    bodies = [call(timedelta(minutes=n), f"e{n}", team=f"t{n % 2}", check_id=checks.get(n)) for n in range(count)]
    log = log_of(begun(CAPPED), begun(OTHER, staging="second"), *bodies)
    policies = {policy_hash(each): each for each in (CAPPED, OTHER)}
    _, owed = evaluate(policies, [log])
    return log, list(owed.values()), policies


@WRITTEN
@given(logs(messages=14), st.data())
def test_what_was_published_as_it_was_owed_agrees_also_if_it_was_published_twice(log: Log, data: st.DataObject) -> None:
    _, owed = evaluate(log.documents, [log.records])
    decisions = list(owed.values())
    again = data.draw(st.lists(st.sampled_from(decisions), max_size=3)) if decisions else []
    later = [msgspec.structs.replace(each, decided_at=datetime(2030, 1, 1, tzinfo=UTC)) for each in again]
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), log.records, [*decisions, *later])
        for tenant in ledger.tenants():
            found = reconcile(ledger, log.documents, Wanted(tenant))
            assert found.differences == ()
            assert found.calls.matched == found.calls.replayed
            assert found.criterion("differences").outcome == "pass"  # type: ignore[union-attr]


def with_sums(decision: Decision, by: Callable[[Reason], dict[str, Any]]) -> Decision:
    return msgspec.structs.replace(
        decision, reasons=tuple(msgspec.structs.replace(each, **by(each)) for each in decision.reasons)
    )


def shifted(reason: Reason) -> dict[str, Any]:
    return {
        "used_before_nano_usd": (reason.used_before_nano_usd or 0) + 7,
        "recorded_before_nano_usd": (reason.recorded_before_nano_usd or 0) + 7,
    }


def emptied(_: Reason) -> dict[str, Any]:
    return {"used_before_nano_usd": 0, "recorded_before_nano_usd": 0}


def moved(reason: Reason) -> dict[str, Any]:
    assert reason.window_start is not None
    return {"window_start": reason.window_start + timedelta(hours=1)}


replace = msgspec.structs.replace
FAULTS: dict[str, Callable[[Decision], Decision]] = {
    "counter_altered": lambda found: with_sums(found, shifted),
    "counter_lost": lambda found: with_sums(found, emptied),
    "window_edge": lambda found: with_sums(found, moved),
    "repriced": lambda found: replace(found, cost_nano_usd=5),
    "evaluator_changed": lambda found: replace(found, engine_version="0+tzdata.2020.1"),
    "activation_skew": lambda found: replace(found, judged=replace(found.judged, set="0" * 32)),
    "late": lambda found: replace(found, marks=("late",)),
    "clock_skew": lambda found: replace(found, marks=("clock_skew",)),
    "altered_decision": lambda found: with_sums(found, lambda _: {"verdict": "warn"}),
    "unexplained": lambda found: replace(found, verdict="warn"),
}


@pytest.mark.parametrize("cause", FAULTS)
def test_a_decision_that_is_not_what_the_replay_says_is_a_mismatch_with_its_cause(cause: str) -> None:
    log, decisions, policies = busy()
    decisions[17] = FAULTS[cause](decisions[17])
    found = reconciled(log, decisions, policies)
    assert kinds(found) == [("mismatched", cause, 1)]
    assert [each.event_id for each in found.differences[0].examples] == ["e17"]
    assert (found.outcome, found.calls.matched) == ("fail", 39)


def test_a_call_without_its_decision_is_missing_and_the_last_ones_are_not_yet_judged() -> None:
    log, decisions, policies = busy()
    kept = [each for each in decisions if each.event_id not in ("e5", "e39", "e38")]
    found = reconciled(log, kept, policies)
    assert kinds(found) == [("missing", "not_yet_judged", 2), ("missing", "unexplained", 1)]
    assert found.criterion("differences").measured == 1  # type: ignore[union-attr]


def test_a_decision_too_many_is_extra_and_the_ledger_says_why() -> None:
    log, decisions, policies = busy()
    again = log_of(*(r.body for r in log), call(timedelta(minutes=3), "e3", team="t1"))
    repeat = replace(decisions[3], position=again[-1].position)
    nobody = replace(decisions[4], position=replace(decisions[4].position, index=9))
    found = reconciled(again, [*decisions, repeat, nobody], policies)
    assert kinds(found) == [("extra", "duplicate", 1), ("extra", "not_in_ledger", 1)]


def test_a_second_decision_that_is_not_the_first_one_differs() -> None:
    log, decisions, policies = busy()
    found = reconciled(log, [*decisions, with_sums(decisions[6], shifted)], policies)
    assert kinds(found) == [("duplicate_differs", "counter_altered", 1)]


def test_a_policy_answers_for_its_own_differences_alone() -> None:
    log, decisions, policies = busy()
    decisions[30] = with_sums(decisions[30], lambda r: shifted(r) if r.policy == "capped" else {})
    assert reconciled(log, decisions, policies, policy="capped").differences
    assert reconciled(log, decisions, policies, policy="other").differences == ()


def test_too_little_to_know_is_inconclusive_and_no_traffic_is_never_a_pass() -> None:
    log, decisions, policies = busy()
    found = reconciled(log, decisions, policies, policy="capped")
    outcomes = {each.name: (each.outcome, each.measured, each.distance) for each in found.criteria}
    assert found.outcome == "inconclusive"
    assert outcomes["events"] == ("inconclusive", 40, 960)
    assert outcomes["near_cap"][0] == "pass"
    assert outcomes["windows"] == ("inconclusive", 0, 1)
    nothing = reconciled(log, decisions, policies, from_ms=2**42)
    assert (nothing.outcome, nothing.calls.differing_at_most_ppb) == ("inconclusive", None)


def test_a_day_of_enough_calls_that_agree_passes_and_says_what_it_rests_on() -> None:
    bodies = [call(timedelta(seconds=90 * n), f"e{n}", 21 * 10**7, team="t") for n in range(1_000)]
    log = log_of(begun(CAPPED), *bodies)
    policies = {policy_hash(CAPPED): CAPPED}
    _, owed = evaluate(policies, [log])
    found = reconciled(log, list(owed.values()), policies)
    assert [each.name for each in found.criteria if each.outcome != "pass"] == ["offsets", "counters", "bill"]
    assert (found.outcome, found.calls.differing_at_most_ppb) == ("pass", 3_000_000)
    assert [(each.staging, each.hash, each.ended_at) for each in found.stagings] == [
        ("staging", policy_hash(CAPPED), None)
    ]
    (window,) = found.windows
    assert (window.observed, window.partial, window.calls) == (True, False, 40)
    assert reconciled(log, list(owed.values()), policies) == found


def test_what_was_not_looked_at_is_not_known_unless_it_is_waived_and_a_fault_cannot_be() -> None:
    log, decisions, policies = busy()
    with TemporaryDirectory() as folder:
        ledger = write(Path(folder), log, decisions)
        found = reconcile(ledger, policies, Wanted(TENANT))
        unknown = {each.name for each in found.criteria if each.measured is None}
        assert unknown == {"offsets", "counters", "bill"}
        with pytest.raises(ValueError, match="waive: differences: expected one of"):
            reconcile(ledger, policies, Wanted(TENANT), Proofs(waived={"differences": "no"}))


@given(st.integers(0, 200), st.integers(1, 10_000))
def test_a_bound_is_above_its_rate_and_falls_with_the_sample(bad: int, of: int) -> None:
    bad = min(bad, of)
    bound = upper_bound(bad, of)
    assert bound is not None
    assert bad / of <= bound <= 1
    more = upper_bound(bad * 4, of * 4)
    assert more is not None
    assert more <= bound


def test_a_bound_is_the_published_one() -> None:
    assert upper_bound(0, 0) is None
    assert upper_bound(0, 300) == 0.01
    assert upper_bound(10, 100) == pytest.approx(0.1603, abs=1e-4)
