"""What the review queue carries over HTTP."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel

from gateway_shadow import time_cursors
from gateway_shadow.documents import Body, Words, instant, same
from policy_store.asked_reviews import Review, State
from policy_store.reviews import WAITING, After, lapses_ms
from spendgate.model.review import Outcome

_OUTCOMES: dict[State, Outcome] = {"approved": "approve", "refused": "refuse"}


class Note(Body):
    """What whoever answers has to say."""

    note: Words | None = None


class Refusal(Body):
    """Why a review is refused."""

    note: Words


class ReviewDocument(BaseModel):
    """A would-be review. ``words``: why, a line for each rule that asked. ``owner``: what is known of the call.
    ``outcome``: what it came to; of an expired one, what the policy's ``on_expiry`` says. ``claim_lapses_at``: from
    then on anyone may take it over. ``possible``: what may be done with it now. ``check_id``: the check that the call
    settles; ``answered_with``: the review of that check, where its answer counts for the call. ``settled_by``: of a
    held check, the decision of its call."""

    id: str
    policy: str
    staging: str
    stage: str
    state: State
    outcome: Outcome | None
    revision: int
    words: list[str]
    owner: dict[str, str]
    reviewers: list[str]
    source: str
    event_id: str
    event_time: datetime | None
    decision_id: str
    cost_nano_usd: int | None
    asked_at: datetime | None
    age_s: int
    expires_at: datetime | None
    on_expiry: Outcome
    claimed_by: str | None
    claimed_at: datetime | None
    claim_lapses_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    note: str | None
    check_id: str | None
    answered_with: str | None
    settled_by: str | None
    possible: list[Literal["claim", "release", "approve", "refuse"]]

    @classmethod
    def of(cls, found: Review, now_ms: int) -> Self:
        """The answer for a review. ``age_s``: from the asking to its end, or to now."""
        told = {
            "outcome": found.on_expiry if found.state == "expired" else _OUTCOMES.get(found.state),
            "words": found.words.splitlines(),
            "owner": dict(part.split("=", 1) for part in found.owner.split()),
            "reviewers": found.reviewers.split(), "event_time": instant(found.event_ms),
            "asked_at": instant(found.asked_ms), "expires_at": instant(found.expires_ms),
            "age_s": max(0, (found.decided_ms or now_ms) - found.asked_ms) // 1000,
            "claimed_at": instant(found.claimed_ms), "claim_lapses_at": instant(lapses_ms(found)),
            "decided_at": instant(found.decided_ms), "possible": _possible(found.state),
        }  # fmt: skip
        return cls(**{**same(cls, found), **told})


class ReviewPage(BaseModel):
    """A page of the queue, who waits longest first; ``next``: the cursor of the page after it, absent on the last."""

    reviews: list[ReviewDocument]
    next: str | None


def _possible(state: State) -> list[str]:
    if state not in WAITING:
        return []
    return ["claim", *(["release"] if state == "claimed" else []), "approve", "refuse"]


def next_after(review: Review) -> str:
    """The cursor of a page that ends with this one."""
    return time_cursors.cursor_of(review.asked_ms, review.id)


def after_of(cursor: str | None) -> After | None:
    """The place that a cursor names. Raises Problem 422."""
    return None if cursor is None else After(*time_cursors.place_of(cursor, "rev-"))
