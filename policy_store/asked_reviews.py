"""Would-be reviews out of decisions. Pure: a decision and its policies in, rows of the queue out.

A call waits in the queue of every policy that answered ``review``, where the call's own verdict is ``review``: what
another policy would have denied is not made, so there is nobody to ask. That is the simulator's law, and so is how
long it waits: ``patience_ms``, the shortest ``expires`` of the policy's review rules.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Literal, NamedTuple

from spendgate.model.check import CHECK_PREFIX
from spendgate.model.decision import VERDICTS, Decision, Reason
from spendgate.model.policy import OnExpiry, Policy
from spendgate.model.text import NONE
from spendgate.model.words import explain
from spendgate.simulate.review_queue import PATIENT, patience_ms

State = Literal["open", "claimed", "approved", "refused", "expired"]
PolicyOf = Callable[[str, str], Policy | None]
"""The policy of a tenant's staging; None where the store does not know it."""


class Review(NamedTuple):
    """One row of the queue. ``words``: a line for each reason of the policy. ``owner``: what is known of the call, as
    ``team=red employee=ann``. ``reviewers``: names, parted by spaces. ``note``: what whoever decided has written.

    Of a call that names a check: ``check_id``, and ``answered_with`` where the check's review (its id) has answered for
    it. Of a held check, whose ``decision_id`` and ``event_id`` are its own id: ``settled_by``, its call's decision.
    """

    id: str
    tenant: str
    decision_id: str
    staging: str
    policy: str
    stage: str
    source: str
    event_id: str
    event_ms: int
    asked_ms: int
    cost_nano_usd: int | None
    words: str
    owner: str
    reviewers: str
    expires_ms: int | None
    on_expiry: OnExpiry
    state: State = "open"
    revision: int = 1
    claimed_by: str | None = None
    claimed_ms: int | None = None
    decided_by: str | None = None
    decided_ms: int | None = None
    note: str | None = None
    check_id: str | None = None
    answered_with: str | None = None
    settled_by: str | None = None


def asked(decision: Decision, policy_of: PolicyOf) -> Iterator[Review]:
    """A row for each staging of the decision whose verdict is ``review``; none unless the decision's is."""
    if decision.verdict != "review":
        return
    owner = owner_of(decision.reasons)
    for staging in dict.fromkeys(reason.staging for reason in decision.reasons):
        reasons = [each for each in decision.reasons if each.staging == staging]
        if max(VERDICTS.index(each.verdict) for each in reasons) == VERDICTS.index("review"):
            yield _review(decision, reasons, owner, policy_of(decision.tenant, staging))


def _review(decision: Decision, reasons: list[Reason], owner: str, policy: Policy | None) -> Review:
    first, asking = reasons[0], [each for each in reasons if each.verdict == "review"]
    patience = PATIENT if policy is None else patience_ms(policy)
    asked_ms = ms(decision.decided_at)
    return Review(
        id=review_id(decision.decision_id, first.staging), tenant=decision.tenant, decision_id=decision.decision_id,
        staging=first.staging, policy=first.policy, stage=first.stage, source=decision.source,
        event_id=decision.event_id, event_ms=ms(decision.event_time), asked_ms=asked_ms,
        cost_nano_usd=decision.cost_nano_usd,
        words="\n".join(explain(each, decision.cost_nano_usd) for each in asking), owner=owner,
        reviewers="" if policy is None else " ".join(_reviewers(policy, asking)),
        expires_ms=None if patience == PATIENT else asked_ms + patience,
        on_expiry="approve" if policy is None else on_expiry(policy), check_id=decision.check_id,
    )  # fmt: skip


def review_id(decision_id: str, staging: str) -> str:
    """The same for the same decision and staging, so that a repeat is recognised."""
    return f"rev-{sha256(f'{decision_id} {staging}'.encode()).hexdigest()[:32]}"


def review_of_check(call: Review) -> str | None:
    """The id that the review of the call's check has, for the same staging; None for a call that names no check."""
    is_check = call.check_id is not None and call.check_id.startswith(CHECK_PREFIX)
    return review_id(call.check_id or "", call.staging) if is_check else None


def answered_as(call: Review, check: Review) -> Review:
    """The row of a call whose check was approved before: whoever said so has answered for the call, and when."""
    return call._replace(
        asked_ms=check.asked_ms, expires_ms=check.expires_ms, state=check.state, claimed_by=check.claimed_by,
        claimed_ms=check.claimed_ms, decided_by=check.decided_by, decided_ms=check.decided_ms, note=check.note,
        answered_with=check.id,
    )  # fmt: skip


def on_expiry(policy: Policy) -> OnExpiry:
    """What silence means for a would-be review of the policy: ``refuse`` if one of its review rules says so."""
    said = [rule.review.on_expiry for rule in policy.spec.rules if rule.review is not None]
    return "refuse" if "refuse" in said else "approve"


def _reviewers(policy: Policy, asking: Iterable[Reason]) -> list[str]:
    """Whom the rules that asked name; else whom another review rule names; else who answers for the policy."""
    rules = policy.spec.rules
    named = [rules[each.rule].review for each in asking if each.rule < len(rules)]
    for reviews in (named, [rule.review for rule in rules]):
        found = dict.fromkeys(each.reviewers for each in reviews if each is not None and each.reviewers)
        if found:
            return list(found)
    return [policy.metadata.owner] if policy.metadata.owner else []


def owner_of(reasons: Iterable[Reason]) -> str:
    """What the counters say of the call: their keys are its own fields. ``all`` and what is unknown say nothing."""
    parts = (part for reason in reasons for part in (reason.counter or "").split(" "))
    return " ".join(dict.fromkeys(part for part in parts if "=" in part and part.partition("=")[2] != NONE))


def ms(moment: datetime) -> int:
    """An aware instant in milliseconds since the epoch."""
    return round(moment.timestamp() * 1000)
