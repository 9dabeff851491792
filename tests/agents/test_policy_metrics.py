"""What is told by tenant and policy: verdicts are each policy's own, and a budget is told of by its fullest counter."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agents.fullest import KEPT_S, Fullest
from agents.policy_metrics import verdicts_of
from spendgate.model.decision import VERDICTS, Decision, Judged, Position, Reason, Verdict
from telemetry.labels import Labels

DAY = datetime(2026, 11, 1, tzinfo=UTC)
Spent = tuple[int, int, int]
"""Day, owner, nano-USD."""


def reason(policy: str, verdict: Verdict, **more: object) -> Reason:
    made = {"staging": f"s-{policy}", "stage": "shadow", "rule": 0, "kind": "budget", "code": "within_budget"} | more
    return Reason(policy=policy, verdict=verdict, **made)  # type: ignore[arg-type]


def decision(*reasons: Reason, cost: int = 1, verdict: Verdict = "deny") -> Decision:
    place = Position("spend.events", 0, 0, 0)
    return Decision("d", "acme", "s", "e", DAY, DAY, place, verdict, "v", Judged(1, "x"), cost, None, (), reasons)


@given(st.lists(st.tuples(st.sampled_from("pqr"), st.sampled_from(VERDICTS)), max_size=8))
def test_a_policys_verdict_is_the_worst_of_its_rules_and_an_approval_is_not_told(
    said: list[tuple[str, Verdict]],
) -> None:
    worst = {policy: max((VERDICTS.index(v) for p, v in said if p == policy), default=0) for policy in "pqr"}
    found = verdicts_of(decision(*(reason(policy, verdict) for policy, verdict in said)))
    assert set(found) == {("acme", policy, "shadow", VERDICTS[at]) for policy, at in worst.items() if at}


def told(fullest: Fullest) -> dict[str, float]:
    return {sample.name: sample.value for family in fullest.collect() for sample in family.samples}


def spent(calls: Iterable[Spent]) -> list[Decision]:
    """A budget of 1000 for an owner's day, which only warns."""
    sums: dict[tuple[int, int], int] = {}
    made = []
    for day, owner, cost in calls:
        before = sums.get((day, owner), 0)
        start = DAY + timedelta(days=day)
        made.append(decision(reason(
            "cap", "warn", counter=f"o{owner}", window_start=start, window_end=start + timedelta(days=1),
            limit_nano_usd=1000, used_before_nano_usd=before, recorded_before_nano_usd=before,
        ), cost=cost, verdict="warn"))  # fmt: skip
        sums[day, owner] = before + cost
    return made


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 400)), min_size=1, max_size=30))
def test_of_a_rules_counters_the_fullest_of_the_latest_window_is_told(calls: list[Spent]) -> None:
    ordered = sorted(calls, key=lambda call: call[0])
    last = ordered[-1][0]
    fullest = Fullest(Labels(), lambda: (DAY + timedelta(days=last)).timestamp())
    fullest.note(spent(ordered))
    sums: dict[int, int] = {}
    for day, owner, cost in ordered:
        if day == last:
            sums[owner] = sums.get(owner, 0) + cost
    found = told(fullest)
    assert found["spendgate_budget_recorded_nano_usd"] == max(sums.values())
    assert found["spendgate_budget_limit_nano_usd"] == 1000
    assert found["spendgate_budget_window_end_timestamp_seconds"] == (DAY + timedelta(days=last + 1)).timestamp()


def test_a_window_that_is_over_is_no_longer_told_of_nor_what_another_worker_has() -> None:
    now = [DAY.timestamp()]
    fullest = Fullest(Labels(), lambda: now[0])
    fullest.note(spent([(0, 0, 5)]))
    assert told(fullest)
    now[0] = (DAY + timedelta(days=1)).timestamp() + KEPT_S
    assert not told(fullest)
    now[0] = DAY.timestamp()
    assert told(fullest)
    fullest.clear()
    assert not told(fullest)


def test_past_the_limit_of_labels_no_budget_is_told_of() -> None:
    fullest = Fullest(Labels(0), DAY.timestamp)
    fullest.note(spent([(0, 0, 5)]))
    assert not told(fullest)
