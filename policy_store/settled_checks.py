"""Calls that settle a check which was held: whoever has approved the check is not asked about its call again.

The review of a check answers for one call, the first one that asks under its id, and keeps that call's decision. What a
person has refused, what nobody has answered, another staging's question, and another call under the same id are asked.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, or_, select, update

from policy_store.asked_reviews import Review, answered_as, review_of_check
from policy_store.tables import reviews

_TOGETHER = 500


def with_answers(connection: Connection, asked: Sequence[Review]) -> Iterator[Review]:
    """Rows for the queue, in the order of the log: those whose check was approved come answered."""
    of_check = {each.id: id_ for each in asked if (id_ := review_of_check(each)) is not None}
    known = _known(connection, sorted(set(of_check.values())))
    for each in asked:
        id_ = of_check.get(each.id)
        check = _settled(connection, id_, each) if id_ in known else None
        yield answered_as(each, check) if check is not None and check.state == "approved" else each


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those that are there; most checks were not held, and have no review."""
    parts = (ids[start : start + _TOGETHER] for start in range(0, len(ids), _TOGETHER))
    return {id_ for part in parts for id_ in connection.scalars(select(reviews.c.id).where(reviews.c.id.in_(part)))}


def _settled(connection: Connection, id_: str | None, call: Review) -> Review | None:
    """The review of a check, settled by this call; None where another call has settled it, or of another tenant."""
    is_free = or_(reviews.c.settled_by.is_(None), reviews.c.settled_by == call.decision_id)
    at = update(reviews).where(reviews.c.tenant == call.tenant, reviews.c.id == id_, is_free)
    row = connection.execute(at.values(settled_by=call.decision_id).returning(reviews)).mappings().one_or_none()
    return None if row is None else Review(**row)
