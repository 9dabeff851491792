"""The queue: each would-be review once, answered once, by whoever holds it, or by silence at its time."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from policy_store import audit, outbox, policies, reviews, stagings
from policy_store.asked_reviews import Review, asked, owner_of
from policy_store.change import Change
from policy_store.decisions import Decisions
from policy_store.errors import NotFound, Refused, Stale
from policy_store.tables import reviews as table
from spendgate.model.canonical import canonical_bytes
from spendgate.model.decision import Decision, Verdict
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from spendgate.model.review import ReviewRecord
from tests.store.conftest import Store
from tests.store.decided import AT, decision, message, over, reason
from tests.store.scenes import TENANT, change, tenant
from tests.store.test_policies import at_once

HOUR_MS = 3_600_000


def gate(*reviewing: dict[str, Any], name: str = "gate", owner: str | None = "finance") -> Policy:
    """A policy of review rules."""
    rules = [{"review": {"when": {"cost_usd_over": "0.1"}, **each}} for each in reviewing]
    document = {
        "apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": name, "owner": owner},
        "spec": {"rules": rules},
    }  # fmt: skip
    return Policy.model_validate(document)


def staged(store: Store, policy: Policy) -> str:
    """Stage a policy through the store; the staging's id."""
    tenant(store)
    with change(store, "ann") as made:
        found = policies.create(made, policy, "-")
        asked_for = stagings.submit(made, found.name, found.latest.hash, "no history yet")
    with change(store, "bob") as made:
        return stagings.approve(made, asked_for.id, asked_for.revision, store.signer).id


def waiting(store: Store, *decisions: Decision) -> list[Review]:
    """The queue after these decisions."""
    Decisions(store.database).take([message(*decisions)])
    with store.database.read() as connection:
        return reviews.listed(connection, TENANT)


def told(store: Store) -> list[ReviewRecord]:
    """What the outbox has for ``spend.reviews``."""
    with store.database.read() as connection:
        rows = [row for row in outbox.waiting(connection) if row.topic == "reviews"]
    return [msgspec.json.decode(row.value, type=ReviewRecord) for row in rows]


# What is asked


@given(verdicts=st.lists(st.sampled_from(["warn", "review", "deny"]), max_size=4))
def test_a_call_waits_for_each_policy_that_asks_unless_another_would_deny_it(verdicts: list[Verdict]) -> None:
    found = decision(1, *(reason(f"p{n}", verdict=each) for n, each in enumerate(verdicts)))
    asks = [] if "deny" in verdicts else [f"p{n}" for n, each in enumerate(verdicts) if each == "review"]
    assert [each.policy for each in asked(found, lambda *_: None)] == asks


def test_a_policy_of_which_one_rule_only_warns_still_asks_once() -> None:
    both = decision(1, over(verdict="warn", staging="s", policy="p"), reason("p", staging="s", rule=1))
    (found,) = asked(both, lambda *_: None)
    assert len(found.words.splitlines()) == 1


def test_it_waits_as_long_as_the_shortest_rule_of_the_policy_says_and_one_refusal_counts() -> None:
    policy = gate({"expires": "72h", "reviewers": "leads"}, {"expires": "2h", "on_expiry": "refuse"})
    (found,) = asked(decision(1, reason()), lambda *_: policy)
    assert (found.expires_ms, found.on_expiry) == (found.asked_ms + 2 * HOUR_MS, "refuse")
    assert found.reviewers == "leads"
    (patient,) = asked(decision(1, reason()), lambda *_: gate({}))
    assert (patient.expires_ms, patient.on_expiry, patient.reviewers) == (None, "approve", "finance")


def test_the_owner_is_what_the_counters_of_all_policies_say() -> None:
    reasons = [over(), over("b", verdict="approve", counter="employee=ann"), over("c", counter="all"), reason("d")]
    assert owner_of(reasons) == "team=red employee=ann"


# What is kept


def test_a_repeat_and_a_message_of_others_change_nothing(store: Store) -> None:
    taking = Decisions(store.database)
    several = message(*(decision(n, reason()) for n in range(700)), decision(700, over(verdict="deny")))
    assert taking.take([several, b"[{}]", b'"review"', None, message(decision(701))])[:2] == (700, 1)
    assert taking.take([several, several]).reviews == 0
    with store.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(table)) == 700


def test_what_was_answered_stays_answered_when_its_decision_comes_again(store: Store) -> None:
    tenant(store)
    (found,) = waiting(store, decision(1, reason()))
    with change(store, "bob") as made:
        answered = reviews.answer(made, found.id, 1, "approve", None)
    assert waiting(store, decision(1, reason(), at=AT + timedelta(hours=5))) == [answered]


def test_a_staging_of_the_store_lends_its_policy(store: Store) -> None:
    id_ = staged(store, gate({"expires": "1h", "reviewers": "leads", "on_expiry": "refuse"}))
    (found,) = waiting(store, decision(1, reason(staging=id_)))
    assert (found.reviewers, found.on_expiry) == ("leads", "refuse")
    assert found.expires_ms == found.asked_ms + HOUR_MS


def test_pages_of_the_queue_are_the_queue_whatever_their_size(store: Store) -> None:
    whole = waiting(store, *(decision(n, reason(), at=AT + timedelta(seconds=n // 3)) for n in range(11)))
    with store.database.read() as connection:
        for size in (1, 3, 4, 11):
            found: list[Review] = []
            while page := reviews.listed(
                connection, TENANT, most=size,
                after=reviews.After(found[-1].asked_ms, found[-1].id) if found else None,
            ):  # fmt: skip
                found += page
            assert found == whole


def test_the_queue_is_filtered_by_state_policy_and_exact_reviewers(store: Store) -> None:
    id_ = staged(store, gate({"reviewers": "a_b"}, {"reviewers": "c%"}))
    both = [reason(staging=id_), reason(staging=id_, rule=1)]
    waiting(store, decision(1, *both), decision(2, reason("other")))
    with store.database.read() as connection:

        def ids(**wanted: Any) -> list[str]:
            return [each.event_id for each in reviews.listed(connection, TENANT, **wanted)]

        assert ids(reviewers="a_b") == ids(reviewers="c%") == ids(policy="gate") == ["call-1"]
        assert ids(reviewers="axb") == ids(reviewers="a_b c%x") == ids(state="claimed") == []
        assert len(ids(state="open")) == 2


# What may be done


def test_of_two_who_answer_at_once_exactly_one_does(store: Store) -> None:
    tenant(store)
    (found,) = waiting(store, decision(1, reason()))

    def answer(who: str, outcome: Any) -> None:
        with change(store, who) as made:
            reviews.answer(made, found.id, found.revision, outcome, "a note")

    ends = at_once(lambda: answer("bob", "approve"), lambda: answer("cat", "refuse"))
    assert sorted(type(each).__name__ for each in ends) == ["NoneType", "Stale"]
    assert len(told(store)) == 1


def test_a_claim_holds_others_off_until_it_lapses(store: Store) -> None:
    tenant(store)
    (found,) = waiting(store, decision(1, reason()))
    with change(store, "bob") as made:
        reviews.claim(made, found.id, 1)
    moves: list[Callable[[Change, str, int], Review]] = [
        reviews.claim, reviews.release, lambda now, id_, at: reviews.answer(now, id_, at, "approve", None),
    ]  # fmt: skip
    for move in moves:
        with pytest.raises(Refused, match="somebody else has claimed it"), change(store, "cat") as made:
            move(made, found.id, 2)
    store.clock.ms += reviews.CLAIM_MS
    with change(store, "cat") as made:
        assert reviews.claim(made, found.id, 2).claimed_by == "cat"
    with change(store, "cat") as made:
        assert reviews.release(made, found.id, 3).state == "open"
    with change(store, "bob") as made:
        assert reviews.answer(made, found.id, 4, "refuse", "too dear").state == "refused"
    with pytest.raises(Refused, match="it is refused"), change(store, "cat") as made:
        reviews.claim(made, found.id, 5)
    with pytest.raises(Stale), change(store, "cat") as made:
        reviews.claim(made, found.id, 1)


def test_an_answer_leaves_its_record_and_its_trail_and_the_note_stays_in_the_store(store: Store) -> None:
    tenant(store)
    (found,) = waiting(store, decision(1, over()))
    with pytest.raises(Refused, match="a note"), change(store, "bob") as made:
        reviews.answer(made, found.id, 1, "refuse", None)
    with change(store, "bob") as made:
        reviews.answer(made, found.id, 1, "refuse", "Ann said no")
    (record,) = told(store)
    assert (record.review_id, record.outcome, record.expired, record.answered_by) == (found.id, "refuse", False, "bob")
    with store.database.read() as connection:
        last = audit.entries(connection, TENANT)[-1]
        assert all(b"Ann said" not in row.value for row in outbox.waiting(connection))
        assert audit.verify(connection) == []
    assert (last.who, last.action, last.why) == ("bob", "refuse", "Ann said no")
    assert json.loads(last.after or "") == {"state": "refused"}


def test_no_tenant_finds_the_reviews_of_another(store: Store) -> None:
    (found,) = waiting(store, decision(1, reason()))
    with pytest.raises(NotFound), change(store, "spy", "other") as made:
        reviews.claim(made, found.id, 1)


# Silence


def test_what_nobody_answers_expires_at_its_time_and_comes_to_what_the_policy_says(store: Store) -> None:
    id_ = staged(store, gate({"expires": "1h", "on_expiry": "refuse"}))
    (found,) = waiting(store, decision(1, reason(staging=id_)))
    assert found.expires_ms is not None
    store.clock.ms = found.expires_ms
    assert reviews.expire_due(store.changes) == 0, "at its very end it can still be answered"
    store.clock.ms += 1
    with pytest.raises(Refused, match="it is expired"), change(store, "bob") as made:
        reviews.answer(made, found.id, 1, "approve", None)

    def sweep() -> None:
        reviews.expire_due(store.changes)

    assert at_once(sweep, sweep) == [None, None]
    assert reviews.expire_due(store.changes) == 0
    (record,) = told(store)
    assert (record.outcome, record.expired, record.answered_by) == ("refuse", True, None)
    with store.database.read() as connection:
        assert reviews.require(connection, TENANT, found.id).state == "expired"


def test_what_is_being_looked_at_does_not_expire_while_the_claim_holds(store: Store) -> None:
    id_ = staged(store, gate({"expires": "1h"}))
    (found,) = waiting(store, decision(1, reason(staging=id_)))
    assert found.expires_ms is not None
    store.clock.ms = found.expires_ms
    with change(store, "bob") as made:
        reviews.claim(made, found.id, 1)
    store.clock.ms += reviews.CLAIM_MS
    assert reviews.expire_due(store.changes) == 0
    with store.database.read() as connection:
        held = reviews.require(connection, TENANT, found.id)
    assert not reviews.has_expired(held, store.clock.ms)
    store.clock.ms += 1
    assert reviews.has_expired(held, store.clock.ms)
    assert reviews.expire_due(store.changes) == 1


def test_a_policy_written_before_on_expiry_keeps_its_hash() -> None:
    said = read_policy(
        "apiVersion: spendgate/v1\nkind: Policy\nmetadata: {name: a}\nspec:\n  rules:\n"
        "    - review: {when: {cost_usd_over: '1'}, on_expiry: approve}\n",
        "a",
    )
    assert b"on_expiry" not in canonical_bytes(said)
