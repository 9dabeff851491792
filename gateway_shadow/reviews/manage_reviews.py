"""The review queue over HTTP: calls that a policy would have had looked at."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway_shadow.auth import Approver, Reader
from gateway_shadow.documents import Name, NamedInPath
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.reviews.documents import Note, Refusal, ReviewDocument, ReviewPage, after_of, next_after
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import reviews
from policy_store.asked_reviews import Review, State

router = APIRouter(tags=["reviews"])
_MOVED = problems(404, 409, 412, 422, 428)


@router.get("/v1/reviews", responses=problems(422))
def list_reviews(
    caller: Reader, parts: Shared,
    state: Annotated[State | None, Query()] = None,
    policy: Annotated[Name | None, Query()] = None,
    reviewers: Annotated[Name | None, Query(description="As the policy names them.")] = None,
    after: Annotated[str | None, Query(max_length=100, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ReviewPage:  # fmt: skip
    """A page of the queue, who waits longest first."""
    place = after_of(after)
    with parts.database.read() as connection:
        found = reviews.listed(
            connection, caller.tenant, state=state, policy=policy, reviewers=reviewers, after=place, most=limit + 1
        )
    shown, now_ms = found[:limit], parts.changes.now_ms()
    return ReviewPage(
        reviews=[ReviewDocument.of(each, now_ms) for each in shown],
        next=next_after(shown[-1]) if len(found) > limit else None,
    )


@router.get("/v1/reviews/{id_}", responses=problems(404))
def get_review(id_: NamedInPath, response: Response, caller: Reader, parts: Shared) -> ReviewDocument:
    """One review; the ETag is what a move names."""
    with parts.database.read() as connection:
        return _told(response, parts, reviews.require(connection, caller.tenant, id_))


@router.post("/v1/reviews/{id_}/claim", responses=_MOVED)
def claim(id_: NamedInPath, response: Response, caller: Approver, parts: Shared, revision: IfMatch) -> ReviewDocument:
    """Take a review: for 30 minutes nobody else may answer it."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, parts, reviews.claim(change, id_, revision))


@router.post("/v1/reviews/{id_}/release", responses=_MOVED)
def release(id_: NamedInPath, response: Response, caller: Approver, parts: Shared, revision: IfMatch) -> ReviewDocument:
    """Let go of a claim; that of somebody else once it has lapsed."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, parts, reviews.release(change, id_, revision))


@router.post("/v1/reviews/{id_}/approve", responses=_MOVED)
def approve_review(
    id_: NamedInPath, said: Note, response: Response, caller: Approver, parts: Shared, revision: IfMatch
) -> ReviewDocument:
    """Say that the call is fine. In shadow it informs, and moves no counter."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, parts, reviews.answer(change, id_, revision, "approve", said.note))


@router.post("/v1/reviews/{id_}/refuse", responses=_MOVED)
def refuse_review(
    id_: NamedInPath, said: Refusal, response: Response, caller: Approver, parts: Shared, revision: IfMatch
) -> ReviewDocument:
    """Say that the call should not have been made, and why. In shadow it informs, and moves no counter."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, parts, reviews.answer(change, id_, revision, "refuse", said.note))


def _told(response: Response, parts: Parts, found: Review) -> ReviewDocument:
    tagged(response, found.revision)
    return ReviewDocument.of(found, parts.changes.now_ms())
