"""What is told of one recorded call is what the engine says of it, rule by rule; its neighbours are those of its
counter's window, and nobody else."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.stories.reading import Found, found_call, neighbours_of
from spendgate.engine.windows import BUCKETS
from spendgate.ledger.call_index import CallIndex
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.decision import VERDICTS, Decision, Reason
from spendgate.model.event import Event
from spendgate.model.policy import Policy, RollingWindow
from spendgate.simulate.call_neighbours import deciding
from spendgate.simulate.call_rules import rules_of
from tests.engine.evaluate import evaluate
from tests.engine.scenes import START, TENANT, asking_for_all, budget, call, examples, log_of, policy, staged
from tests.oracle.documents import Record, to_ms
from tests.reconcile.test_reconcile import write
from tests.strategies import Log, logs, policy_hash

Owed = list[Decision]


def told_calls(log: Log, folder: Path) -> Iterator[tuple[Ledger, Found, Decision, Owed]]:
    """Each call that its source and id find again, its decision, and all decisions with all their reasons."""
    decisions = list(evaluate(log.documents, [log.records])[1].values())
    whole = list(evaluate(log.documents, [asking_for_all(log.records)])[1].values())
    ledger = write(folder, log.records, decisions)
    for decision in decisions:
        found = found_call(ledger, decision.tenant, decision.source, decision.event_id)
        assert found is not None
        assert found_call(ledger, decision.tenant, decision.source, decision.event_id, CallIndex()) == found
        if found.recorded.decision == decision:
            yield ledger, found, decision, [each for each in whole if each.tenant == decision.tenant]


@examples(20)
@given(logs(messages=12))
def test_every_rule_is_told_with_the_verdict_that_the_engine_gives_when_it_lists_all(log: Log) -> None:
    with TemporaryDirectory() as folder:
        for _, found, decision, owed in told_calls(log, Path(folder)):
            whole = next(each for each in owed if each.position == decision.position)
            told = rules_of(found.recorded.call, decision, found.document, log.documents)
            assert told is not None
            said = {(each["staging"], rule["rule"]): rule for each in told for rule in each["rules"]}
            exact = {(each.staging, each.rule): each.verdict for each in whole.reasons}
            assert {at: rule["verdict"] for at, rule in said.items() if at in exact} == exact
            assert all(rule["verdict"] in (None, "approve") for at, rule in said.items() if at not in exact)
            assert all(rule["words"] for rule in said.values())
            worst = max((VERDICTS.index(each["verdict"] or "approve") for each in told), default=0)
            assert VERDICTS[worst] == decision.verdict


@examples(20)
@given(logs(messages=14, activations=False), st.integers(1, 4))
def test_neighbours_are_the_nearest_calls_that_the_counter_counts_in_the_window(log: Log, most: int) -> None:
    with TemporaryDirectory() as folder:
        for ledger, found, decision, owed in told_calls(log, Path(folder)):
            beside = neighbours_of(ledger, decision.tenant, found, log.documents, most)
            reason = deciding(decision.reasons)
            assert (beside is None) == (reason is None)
            if beside is None or reason is None:
                continue
            hash_ = next(each.hash for each in found.document.stagings if each.staging == reason.staging)
            for side in ("before", "after"):
                counted = [each for each in owed if _is_beside(each, decision, reason, log.documents[hash_], side)]
                nearest = counted[-most:] if side == "before" else counted[:most]
                assert [(each["id"], each["verdict"], each["cost_nano_usd"]) for each in beside[side]] == [
                    (each.event_id, each.verdict, each.cost_nano_usd) for each in nearest
                ]


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def test_neighbours_leave_out_what_is_late_unpriced_repeated_or_of_another_counter_or_window(tmp_path: Path) -> None:
    rolling = policy(budget("100", {"rolling": "4m"}, per=["team"]), scope={"exclude": {"workflow": ["spared"]}})
    hour = SettingsChange(grace_hours=1)
    bodies: list[Event | Activation] = [
        Activation(kind="activation", id="s", tenant=TENANT, time=START, action="settings", settings=hour),
        staged(rolling),
        *(call(minutes(n), f"e{n}", team="a") for n in range(20)),
        call(minutes(19), "other", team="b"),
        call(minutes(19), "nobody"),
        call(minutes(19), "spared", team="a", workflow="spared"),
        call(minutes(19), "unpriced", None, team="a"),
        call(minutes(19), "e18", team="a"),
        *(call(minutes(n), f"e{n}", team="a") for n in range(20, 23)),
        call(minutes(23), "ahead", team="a"),
        call(minutes(27), "e27", team="a"),
        call(minutes(140), "far", team="a"),
        call(minutes(21), "late", team="a"),
    ]
    log = [
        Record(each.position, to_ms(START + _received(each.body)), _as_sent(each.body)) for each in log_of(*bodies)
    ]  # fmt: skip
    documents = {policy_hash(rolling): rolling}
    ledger = write(tmp_path, log, list(evaluate(documents, [log])[1].values()))
    found = found_call(ledger, TENANT, "app", "e20")
    assert found is not None
    for most, before, after in (
        (10, ["e17", "e18", "e19"], ["e21", "e22", "ahead"]),
        (2, ["e18", "e19"], ["e21", "e22"]),
    ):
        beside = neighbours_of(ledger, TENANT, found, documents, most)
        assert beside is not None
        assert beside["counter"] == "team=a"
        assert [[each["id"] for each in beside[side]] for side in ("before", "after")] == [before, after]


def _received(body: Event | Activation) -> timedelta:
    """When the broker took it: the late one in time, as its own clock had it, which had been set back."""
    return minutes(30) if body.id == "late" else body.time - START


def _as_sent(body: Event | Activation) -> Event | Activation:
    """One sender's clock is hours ahead."""
    return msgspec.structs.replace(body, time=START + minutes(300)) if body.id == "ahead" else body


def _is_beside(other: Decision, own: Decision, reason: Reason, policy: Policy, side: str) -> bool:
    """Whether the engine counted another call on the same counter, in the window of this one or this one in its own."""
    places = [(each.position.offset, each.position.index) for each in (other, own)]
    same = [each for each in other.reasons if (each.staging, each.rule, each.counter) == (
        reason.staging, reason.rule, reason.counter
    )]  # fmt: skip
    if not same or (places[0] < places[1]) != (side == "before") or places[0] == places[1]:
        return False
    start, end, there = reason.window_start, reason.window_end, same[0]
    if start is None or end is None:
        return True
    budget = policy.spec.rules[reason.rule].budget
    assert budget is not None
    if not isinstance(budget.window, RollingWindow):
        return there.window_start == start
    width = (end - start) / BUCKETS
    until: datetime = end if side == "before" else end + width * (BUCKETS - 1)
    assert there.window_end is not None
    return start <= there.window_end - width < until
