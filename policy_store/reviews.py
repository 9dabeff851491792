"""The review queue: would-be reviews, claimed and answered by people, or by silence. In shadow they inform alone.

``open -> claimed -> approved | refused``; back to ``open`` when it is released; ``expired`` from both. A claim lapses
after CLAIM_MS: then anyone may take the review over. Whoever has claimed is not overtaken by expiry while their claim
holds, as in a simulation a review that has begun does not expire.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, get_args

from sqlalchemy import Connection, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement

from policy_store.asked_reviews import Review, State, review_id
from policy_store.change import Change, Changes
from policy_store.errors import NotFound, Refused, Stale
from policy_store.outbox import tell_review
from policy_store.tables import reviews
from spendgate.model.review import Outcome, ReviewRecord

STATES: tuple[State, ...] = get_args(State)
WAITING: tuple[State, ...] = ("open", "claimed")
CLAIM_MS = 30 * 60_000
"""For so long a claim holds others off."""
_TOGETHER = 500
SILENCE = "(expiry)"
_ANSWERED: dict[Outcome, State] = {"approve": "approved", "refuse": "refused"}


class After(NamedTuple):
    """Where a page of the queue ended."""

    asked_ms: int
    id: str


def add_new(connection: Connection, asked: Sequence[Review], now_ms: int) -> int:
    """Put reviews into the queue, those that are there already left as they are; how many new ones wait for an answer.
    Those that come answered are told."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    waiting = 0
    for start in range(0, len(asked), _TOGETHER):
        part = asked[start : start + _TOGETHER]
        known = set(connection.scalars(select(reviews.c.id).where(reviews.c.id.in_([each.id for each in part]))))
        if new := [each for each in part if each.id not in known]:
            put = insert(reviews).on_conflict_do_nothing().returning(reviews.c.id)
            added = set(connection.scalars(put, [each._asdict() for each in new]))
            answered = [each for each in new if each.state not in WAITING]
            for each in answered:
                if each.id in added:
                    tell_review(connection, _record(each, "approve"), now_ms)
            waiting += len(new) - len(answered)
    return waiting


def require(connection: Connection, tenant: str, id_: str) -> Review:
    """A review of the tenant. Raises NotFound."""
    wanted = select(reviews).where(reviews.c.tenant == tenant, reviews.c.id == id_)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise NotFound(f"review {id_}: there is none of this name")
    return Review(**row)


def listed(
    connection: Connection, tenant: str, *, state: State | None = None, policy: str | None = None,
    reviewers: str | None = None, after: After | None = None, most: int = 100,
) -> list[Review]:  # fmt: skip
    """A page of the queue, who waits longest first."""
    wanted = select(reviews).where(reviews.c.tenant == tenant)
    if state is not None:
        wanted = wanted.where(reviews.c.state == state)
    if policy is not None:
        wanted = wanted.where(reviews.c.policy == policy)
    if reviewers is not None:
        wanted = wanted.where((" " + reviews.c.reviewers + " ").contains(f" {reviewers} ", autoescape=True))
    if after is not None:
        later = and_(reviews.c.asked_ms == after.asked_ms, reviews.c.id > after.id)
        wanted = wanted.where(or_(reviews.c.asked_ms > after.asked_ms, later))
    ordered = wanted.order_by(reviews.c.asked_ms, reviews.c.id).limit(most)
    return [Review(**row) for row in connection.execute(ordered).mappings()]


def outcome_of(review: Review) -> Outcome | None:
    """What a review came to, by a person or by silence; None while it waits."""
    if review.state == "expired":
        return review.on_expiry
    return next((outcome for outcome, state in _ANSWERED.items() if state == review.state), None)


def lapses_ms(review: Review) -> int | None:
    """Until when a claim holds others off; None without one."""
    return None if review.claimed_ms is None else review.claimed_ms + CLAIM_MS


def has_expired(review: Review, now_ms: int) -> bool:
    """Whether it was left unanswered for too long: past its time, and no claim holds."""
    if review.state not in WAITING or review.expires_ms is None:
        return False
    return now_ms > max(review.expires_ms, lapses_ms(review) or 0)


def claim(change: Change, id_: str, revision: int) -> Review:
    """Take a review, for others to leave it alone for a while. Raises NotFound, Stale, Refused."""
    found = _for_move(change, id_, revision)
    return _moved(change, found, "claim", state="claimed", claimed_by=change.who, claimed_ms=change.now_ms)


def release(change: Change, id_: str, revision: int) -> Review:
    """Let go of a claim. Raises NotFound, Stale, Refused."""
    found = _for_move(change, id_, revision)
    if found.state != "claimed":
        raise Refused("not_claimed", f"review {id_}: expected one that is claimed; it is {found.state}")
    return _moved(change, found, "release", state="open", claimed_by=None, claimed_ms=None)


def answer(change: Change, id_: str, revision: int, outcome: Outcome, note: str | None) -> Review:
    """Approve or refuse; what is not claimed is claimed by it. Raises NotFound, Stale, Refused."""
    found = _for_move(change, id_, revision)
    if outcome == "refuse" and not note:
        raise Refused("no_note", f"review {id_}: expected a note that says why it is refused")
    made = _moved(
        change, found, outcome, note, state=_ANSWERED[outcome], decided_by=change.who, decided_ms=change.now_ms,
        note=note,
    )  # fmt: skip
    _tell(change, made, outcome)
    if outcome == "approve":
        _answer_its_call(change, made)
    return made


def _answer_its_call(change: Change, check: Review) -> None:
    """A call that has settled an approved check already waits no longer, unless somebody else is looking at it."""
    # Read anew: the row is ours since it was approved, and a call may have settled it just before.
    settled_by = require(change.connection, change.tenant, check.id).settled_by
    if settled_by is None:
        return
    call = require(change.connection, change.tenant, review_id(settled_by, check.staging))
    if call.state in WAITING and not has_expired(call, change.now_ms) and not _is_anothers(change, call):
        made = _moved(
            change, call, "approve", f"with its check, {check.id}", state="approved", decided_by=check.decided_by,
            decided_ms=check.decided_ms, note=check.note, answered_with=check.id,
        )  # fmt: skip
        _tell(change, made, "approve")


def expire_due(changes: Changes, most: int = 200) -> int:
    """Let reviews expire whose time is over, up to ``most``; how many did. Any number of processes may do it at once:
    each review expires once. Raises StoreAway."""
    now_ms = changes.now_ms()
    with changes.database.read() as connection:
        tenants = list(connection.scalars(select(reviews.c.tenant).where(_due(now_ms)).distinct().limit(most)))
    expired = 0
    for tenant in tenants:
        with changes.of(tenant, SILENCE) as change:
            expired += _expire(change, most - expired)
    return expired


def _expire(change: Change, most: int) -> int:
    due = select(reviews).where(reviews.c.tenant == change.tenant, _due(change.now_ms))
    found = [Review(**row) for row in change.connection.execute(due.order_by(reviews.c.id).limit(most)).mappings()]
    for each in found:
        made = _put(change, each, state="expired", decided_ms=change.now_ms)
        _tell(change, made, each.on_expiry)
    return len(found)


def _due(now_ms: int) -> ColumnElement[bool]:
    """``has_expired``, for the database."""
    unclaimed = or_(reviews.c.claimed_ms.is_(None), reviews.c.claimed_ms < now_ms - CLAIM_MS)
    return and_(reviews.c.state.in_(WAITING), reviews.c.expires_ms < now_ms, unclaimed)


def _for_move(change: Change, id_: str, revision: int) -> Review:
    found = require(change.connection, change.tenant, id_)
    if found.revision != revision:
        raise Stale(f"review {id_}: it has changed since revision {revision}; it is {found.state}, at {found.revision}")
    if found.state not in WAITING or has_expired(found, change.now_ms):
        state = found.state if found.state not in WAITING else "expired"
        raise Refused("answered", f"review {id_}: expected one that waits for an answer; it is {state}")
    if _is_anothers(change, found):
        until = datetime.fromtimestamp((lapses_ms(found) or 0) // 1000, UTC)
        raise Refused(
            "claimed", f"review {id_}: somebody else has claimed it; expected them, or anyone from {until:%H:%M} UTC on"
        )
    return found


def _is_anothers(change: Change, review: Review) -> bool:
    """Whether somebody else's claim holds."""
    until_ms = lapses_ms(review)
    return review.claimed_by not in (None, change.who) and until_ms is not None and change.now_ms < until_ms


def _moved(change: Change, review: Review, action: str, why: str | None = None, **values: Any) -> Review:
    made = _put(change, review, **values)
    subject = f"review {review.id} of {review.policy}"
    change.note(action, subject, {"state": review.state}, {"state": made.state}, why)
    return made


def _put(change: Change, review: Review, **values: Any) -> Review:
    made = review._replace(revision=review.revision + 1, **values)
    at = and_(reviews.c.id == review.id, reviews.c.revision == review.revision)
    if not change.connection.execute(update(reviews).where(at).values(**values, revision=made.revision)).rowcount:
        raise Stale(f"review {review.id}: it has changed meanwhile")
    return made


def _tell(change: Change, review: Review, outcome: Outcome) -> None:
    tell_review(change.connection, _record(review, outcome), change.now_ms)


def _record(review: Review, outcome: Outcome) -> ReviewRecord:
    return ReviewRecord(
        review_id=review.id, tenant=review.tenant, decision_id=review.decision_id, source=review.source,
        event_id=review.event_id, event_time=_instant(review.event_ms), policy=review.policy, staging=review.staging,
        stage=review.stage, cost_nano_usd=review.cost_nano_usd, asked_at=_instant(review.asked_ms),
        answered_at=_instant(review.decided_ms or 0), outcome=outcome, expired=review.state == "expired",
        answered_by=review.decided_by, check_id=review.check_id, answered_with=review.answered_with,
    )  # fmt: skip


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
