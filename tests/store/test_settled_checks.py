"""Whoever has approved a held check is not asked about its call; everybody else's question is asked."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policy_store import audit, outbox, reviews
from policy_store.asked_reviews import Review, asked, review_id
from policy_store.decisions import Decisions
from spendgate.model.check import CHECK_PREFIX
from spendgate.model.decision import Decision
from spendgate.model.review import Outcome, ReviewRecord
from tests.store.conftest import Store
from tests.store.decided import decision, message, reason
from tests.store.scenes import TENANT, change, tenant
from tests.store.test_policies import at_once

POLICIES = ("a", "b")
HOUR_MS = 3_600_000
_tenants = itertools.count()


def held(store: Store, check: str, *policies: str, of: str = TENANT, expires_ms: int | None = None) -> list[Review]:
    """Put a held check into the queue, as the door does."""
    reasons = [reason(policy, stage="enforced") for policy in policies]
    question = decision(0, *reasons, tenant=of, decision_id=check, source="check", event_id=check, cost_nano_usd=10**9)
    rows = [each._replace(expires_ms=expires_ms) for each in asked(question, lambda *_: None)]
    with store.database.begin() as connection:
        reviews.add_new(connection, rows, store.clock.ms)
        return [reviews.require(connection, of, each.id) for each in rows]


def called(number: int, check: str | None, *policies: str, of: str = TENANT) -> Decision:
    """A call that each of the policies wants reviewed."""
    return decision(number, *(reason(policy, stage="enforced") for policy in policies), tenant=of, check_id=check)


def take(store: Store, *decisions: Decision) -> int:
    """Take decisions in; how many reviews were asked."""
    return Decisions(store.database, store.clock).take([message(*decisions)]).reviews


def answer(store: Store, found: Review, outcome: Outcome, who: str = "bob") -> Review:
    """Answer a review by what it is now."""
    with change(store, who, found.tenant) as made:
        latest = reviews.require(made.connection, found.tenant, found.id)
        return reviews.answer(made, found.id, latest.revision, outcome, f"says {who}")


def row(store: Store, call: Decision, policy: str = "a") -> Review:
    """The row of a call in the queue."""
    with store.database.read() as connection:
        return reviews.require(connection, call.tenant, review_id(call.decision_id, f"stg-{policy}"))


def told(store: Store, of: str = TENANT) -> list[ReviewRecord]:
    """What the outbox has of a tenant for ``spend.reviews``."""
    with store.database.read() as connection:
        rows = outbox.waiting(connection, 100_000)
    return [msgspec.json.decode(each.value, type=ReviewRecord) for each in rows if each.key == of.encode()]


# The law, over histories


@dataclass
class Check:
    """A held check's review, as the model has it."""

    outcome: str | None = None
    settled_by: int | None = None


@dataclass
class Model:
    """Checks and calls by number and policy; a call is "open", or what was answered."""

    checks: dict[tuple[int, str], Check] = field(default_factory=dict)
    calls: dict[tuple[int, str], str] = field(default_factory=dict)

    def call(self, number: int, check: int | None, policies: list[str]) -> None:
        for policy in policies:
            if (number, policy) in self.calls:
                continue
            found = self.checks.get((-1 if check is None else check, policy))
            mine = found is not None and found.settled_by in (None, number)
            if found is not None and mine:
                found.settled_by = number
            is_approved = found is not None and mine and found.outcome == "approve"
            self.calls[number, policy] = "approved" if is_approved else "open"

    def answer(self, check: int, policy: str, outcome: str) -> None:
        found = self.checks[check, policy]
        found.outcome = outcome
        call = (found.settled_by or 0, policy)
        if outcome == "approve" and self.calls.get(call) == "open":
            self.calls[call] = "approved"


names = st.lists(st.sampled_from(POLICIES), min_size=1, unique=True)
steps = st.lists(
    st.tuples(st.just("held"), st.integers(1, 3), names)
    | st.tuples(st.just("answer"), st.integers(1, 3), st.sampled_from(POLICIES), st.sampled_from(["approve", "refuse"]))
    | st.tuples(st.just("call"), st.integers(1, 4), st.none() | st.integers(1, 3)),
    max_size=12,
)  # fmt: skip


@given(steps, names)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_call_is_asked_of_unless_its_check_was_approved_and_no_approval_is_of_two(
    store: Store, steps: list[tuple[Any, ...]], policies: list[str]
) -> None:
    model, of, checks_of = Model(), f"t{next(_tenants)}", dict[int, int | None]()
    tenant(store, of)
    for kind, number, *more in steps:
        if kind == "held":
            held(store, f"chk-{of}-{number}", *more[0], of=of)
            for policy in more[0]:
                model.checks.setdefault((number, policy), Check())
        elif kind == "call":
            check = checks_of.setdefault(number, more[0])  # a repeat is the same call
            take(store, called(number, None if check is None else f"chk-{of}-{check}", *policies, of=of))
            model.call(number, check, policies)
        elif (number, more[0]) in model.checks and model.checks[number, more[0]].outcome is None:
            answer(store, held(store, f"chk-{of}-{number}", more[0], of=of)[0], more[1])
            model.answer(number, *more)
    with store.database.read() as connection:
        queue = {each.id: each for each in reviews.listed(connection, of, most=1000)}
        assert audit.verify(connection, {}) == []
    for (number, policy), expected in model.calls.items():
        found = queue.pop(review_id(called(number, None, of=of).decision_id, f"stg-{policy}"))
        assert (found.state, found.answered_with is not None) == (expected, expected == "approved")
        assert (found.decided_by, found.note) == (("bob", "says bob") if expected == "approved" else (None, None))
    assert len(queue) == len(model.checks)
    mine = told(store, of)
    assert len(mine) == len({each.review_id for each in mine})
    answered = [each for each in model.checks.values() if each.outcome is not None]
    assert len(mine) == len(answered) + list(model.calls.values()).count("approved")


# What it says


def test_the_calls_answer_is_that_of_its_check_and_is_told_and_nobody_was_asked(store: Store) -> None:
    tenant(store)
    (check,) = held(store, "chk-1", "a")
    answer(store, check, "approve")
    call = called(1, "chk-1", "a")
    assert (take(store, call), take(store, call)) == (0, 0)
    found = row(store, call)
    assert (found.state, found.decided_by, found.note) == ("approved", "bob", "says bob")
    assert (found.check_id, found.answered_with, found.cost_nano_usd) == ("chk-1", check.id, call.cost_nano_usd)
    of_check, of_call = told(store)
    assert (of_check.event_id, of_check.cost_nano_usd, of_check.answered_with) == ("chk-1", 10**9, None)
    assert (of_call.event_id, of_call.outcome, of_call.answered_by, of_call.expired) == (
        "call-1",
        "approve",
        "bob",
        False,
    )
    assert (of_call.check_id, of_call.answered_with, of_call.answered_at) == ("chk-1", check.id, of_check.answered_at)


def test_a_call_that_was_not_waited_for_is_answered_when_its_check_is(store: Store) -> None:
    tenant(store)
    (check,) = held(store, "chk-1", "a")
    call = called(1, "chk-1", "a")
    assert take(store, call) == 1
    answer(store, check, "approve")
    assert (row(store, call).state, row(store, call).answered_with) == ("approved", check.id)
    with store.database.read() as connection:
        first, second = audit.entries(connection, TENANT)[-2:]
    assert [each.action for each in (first, second)] == ["approve", "approve"]
    assert (second.who, second.why) == ("bob", f"with its check, {check.id}")
    assert json.loads(second.after or "") == {"state": "approved"}


def test_what_somebody_else_is_looking_at_is_left_to_them(store: Store) -> None:
    tenant(store)
    (check,) = held(store, "chk-1", "a")
    call = called(1, "chk-1", "a")
    take(store, call)
    with change(store, "cat") as made:
        reviews.claim(made, row(store, call).id, 1)
    answer(store, check, "approve")
    assert row(store, call).state == "claimed"
    assert answer(store, row(store, call), "refuse", "cat").state == "refused"


@pytest.mark.parametrize("outcome", ["open", "refused", "late", "expired"])
def test_a_check_that_nobody_has_approved_answers_for_nothing(store: Store, outcome: str) -> None:
    tenant(store)
    (check,) = held(store, "chk-1", "a", expires_ms=store.clock.ms + HOUR_MS)
    if outcome == "refused":
        answer(store, check, "refuse")
    elif outcome != "open":
        store.clock.ms += HOUR_MS + 1
        assert outcome == "late" or reviews.expire_due(store.changes) == 1
    call = called(1, "chk-1", "a")
    assert take(store, call) == 1
    assert (row(store, call).state, row(store, call).check_id) == ("open", "chk-1")


def test_an_approval_is_of_its_staging_its_tenant_and_a_check_alone(store: Store) -> None:
    tenant(store)
    tenant(store, "other")
    (check,) = held(store, "chk-1", "a")
    answer(store, check, "approve")
    another, theirs, unknown = called(1, "chk-1", "b"), called(2, "chk-1", "a", of="other"), called(3, "chk-2", "a")
    assert take(store, another, theirs, unknown) == 3
    plain = called(4, None, "a")
    take(store, plain)
    answer(store, row(store, plain), "approve")
    assert not plain.decision_id.startswith(CHECK_PREFIX)
    assert take(store, called(5, plain.decision_id, "a")) == 1, "a decision is no check, whatever an event says"


def test_a_call_and_the_answer_to_its_check_at_once_leave_no_question(store: Store) -> None:
    tenant(store)
    for number in range(8):
        (check,) = held(store, f"chk-{number}", "a")
        call = called(number, f"chk-{number}", "a")

        def approve(check: Review = check) -> None:
            answer(store, check, "approve")

        def follow(call: Decision = call) -> None:
            take(store, call)

        assert at_once(approve, follow) == [None, None]
        assert row(store, call).state == "approved"
    assert len(told(store)) == 16
