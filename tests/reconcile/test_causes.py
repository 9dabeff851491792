"""Causes that need evidence from the log: what was corrected, set aside, or taken for a repeat is named as such."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place
from spendgate.ledger.rejection_rows import rejection_batch_of
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision, Position
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import Reconciliation
from spendgate.model.rejection import Rejection
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.run import reconcile
from tests.engine.evaluate import evaluate
from tests.engine.scenes import TENANT, budget, call, correction, log_of, policy
from tests.oracle.documents import Record
from tests.reconcile.test_reconcile import begun, kinds, write

USD = 10**9
MONTHLY = policy(budget("100", {"calendar": "month", "timezone": "UTC"}, per=["team"]), name="monthly")
POLICIES: Mapping[str, Policy] = {policy_hash(MONTHLY): MONTHLY}
MINUTE = timedelta(minutes=1)
STAGED = begun(MONTHLY, after=10 * MINUTE)


def decided(log: list[Record]) -> list[Decision]:
    """What shadow says of a log that it took for the log."""
    _, owed = evaluate(POLICIES, [log])
    return list(owed.values())


def found(log: list[Record], decisions: list[Decision], *rejected: Rejection) -> Reconciliation:
    with TemporaryDirectory() as folder:
        write(Path(folder), log, decisions)
        if rejected:
            source = ("rejected-id", 0)
            places = [Place(*source, n, 0, each.received_at) for n, each in enumerate(rejected)]
            batch = rejection_batch_of(rejected, places)
            LedgerTable(folder).append("rejections", [batch], source, len(rejected), first_offset=0)
        return reconcile(Ledger.open(folder), POLICIES, Wanted(TENANT))


def calls(first: int, last: int, **fields: Any) -> list[Event]:
    return [call(n * MINUTE, f"e{n}", team=f"t{n % 2}", **fields) for n in range(first, last)]


def instead(log: list[Record], event_id: str, **fields: Any) -> list[Record]:
    """The log as somebody saw it who had one event otherwise."""
    return [
        dataclasses.replace(each, body=msgspec.structs.replace(each.body, **fields))
        if isinstance(each.body, Event) and each.body.id == event_id
        else each
        for each in log
    ]


LOG = log_of(*calls(0, 4), correction(5 * MINUTE, "e2", 4 * USD), STAGED, *calls(11, 20),
             correction(20 * MINUTE, "e0", 9 * USD), *calls(21, 24))  # fmt: skip
FIX = f"c-{5 * MINUTE}-e2"


def test_a_seed_that_lacks_a_correction_or_has_a_later_one_is_off_by_what_that_changed() -> None:
    assert kinds(found(LOG, decided(LOG))) == []
    without = decided(instead(LOG, FIX, kind="outcome", outcome="accepted", cost_nano_usd=None))
    told = found(LOG, without)
    assert kinds(told) == [("mismatched", "corrected", 5)]  # all later calls of that team
    assert "off by -3000000000 nano-USD recorded" in told.differences[0].examples[0].words
    with_later = decided(instead(LOG, "e0", cost_nano_usd=9 * USD))
    assert {each[:2] for each in kinds(found(LOG, with_later))} >= {("mismatched", "corrected")}


def test_a_sum_that_is_off_by_anything_else_was_altered_although_there_are_corrections() -> None:
    decisions = decided(LOG)
    at = next(n for n, each in enumerate(decisions) if each.reasons)
    (reason,) = decisions[at].reasons
    off = msgspec.structs.replace(reason, recorded_before_nano_usd=(reason.recorded_before_nano_usd or 0) - 2 * USD)
    decisions[at] = msgspec.structs.replace(decisions[at], reasons=(off,))
    assert kinds(found(LOG, decisions)) == [("mismatched", "counter_altered", 1)]


def test_a_ledger_whose_cost_is_what_a_correction_says_was_corrected_and_any_other_was_repriced() -> None:
    log = log_of(STAGED, *calls(11, 20), correction(20 * MINUTE, "e15", 4 * USD))
    for cost, cause in ((4 * USD, "corrected"), (5 * USD, "repriced")):
        changed = instead(log, "e15", cost_nano_usd=cost)
        assert ("mismatched", cause, 1) in kinds(found(changed, decided(log)))


def test_a_call_that_shadow_set_aside_is_missing_because_it_was_rejected() -> None:
    log = log_of(STAGED, *calls(11, 20))
    kept = [each for each in decided(log) if each.event_id != "e14"]
    place = next(each.position for each in log if isinstance(each.body, Event) and each.body.id == "e14")
    told = found(log, kept, rejection_at(place))
    assert kinds(told) == [("missing", "rejected", 1)]
    assert "shadow set it aside: unknown_field" in told.differences[0].examples[0].words
    assert kinds(found(log, kept, rejection_at(place, partition=3))) == [("missing", "unexplained", 1)]


def rejection_at(place: Position, **other: Any) -> Rejection:
    return Rejection(
        position=msgspec.structs.replace(place, **other), received_at=datetime(2026, 5, 1, tzinfo=UTC), tenant=TENANT,
        reason="unknown_field", field="teem", expected="a field of the schema",
    )  # fmt: skip


def test_a_call_that_shadow_took_for_a_repeat_is_missing_because_it_was_accepted_long_before() -> None:
    again = call(timedelta(hours=60), "e12", team="t0")
    log = log_of(STAGED, *calls(11, 20), again, call(timedelta(hours=61), "last", team="t0"))
    decisions = decided(log)
    assert len([each for each in decisions if each.event_id == "e12"]) == 2
    kept = [each for each in decisions if each.position != log[-2].position]
    assert kinds(found(log, kept)) == [("missing", "duplicate", 1)]
    kept = [each for each in decisions if each.event_id != "e13"]
    assert kinds(found(log, kept)) == [("missing", "unexplained", 1)]


@pytest.mark.parametrize("copies", [1, 3])
def test_copies_that_came_late_are_compared_with_the_first_wherever_they_stand(copies: int) -> None:
    log = log_of(STAGED, *calls(11, 20))
    decisions = decided(log)
    late, rest = decisions[3], [each for each in decisions if each is not decisions[3]]
    wrong = msgspec.structs.replace(late, verdict="warn")
    assert kinds(found(log, [*rest, *[late] * copies])) == []
    assert found(log, [*rest, *[late] * copies]).calls.repeated == copies - 1
    assert kinds(found(log, [*decisions, *[late] * copies, wrong])) == [("duplicate_differs", "unexplained", 1)]
    assert kinds(found(log, [*rest, wrong, *[late] * copies])) == [("mismatched", "unexplained", 1)]
