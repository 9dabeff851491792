"""The review queue: taken, approved, refused; by keyboard, too."""

from typing import Annotated, cast, get_args

from fastapi import Query, Request, Response

from gateway_shadow.auth import Approver, Caller, Reader
from gateway_shadow.documents import NamedInPath
from gateway_shadow.pages.addresses import with_query
from gateway_shadow.pages.forms import acted, or_none, read_as, revision_of
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from gateway_shadow.reviews import manage_reviews
from gateway_shadow.reviews.documents import Note, Refusal
from policy_store.asked_reviews import State

router = pages_router()
STATES = get_args(State)
A_PAGE = 50
Typed = Annotated[str, Query(max_length=128)]


@router.get("/reviews")
def show_reviews(
    request: Request, caller: Reader, parts: Shared, state: Typed = "open", policy: Typed = "", reviewers: Typed = "",
    after: Typed = "",
) -> Response:  # fmt: skip
    """Who waits longest first."""
    said = {"state": state if state in STATES else "", "policy": policy.strip(), "reviewers": reviewers.strip()}
    return _page(request, parts, caller, said, after or None)


@router.post("/reviews/{id_}/claim")
def claim(request: Request, id_: NamedInPath, form: Form, caller: Approver, parts: Shared) -> Response:
    """Take it."""

    def act() -> str:
        manage_reviews.claim(id_, Response(), caller, parts, revision_of(form))
        return with_query("/reviews", done="claimed", state="claimed")

    return acted(act, lambda problem: _page(request, parts, caller, {"state": "open"}, None, problem))


@router.post("/reviews/{id_}/release")
def release(request: Request, id_: NamedInPath, form: Form, caller: Approver, parts: Shared) -> Response:
    """Let go of it."""

    def act() -> str:
        manage_reviews.release(id_, Response(), caller, parts, revision_of(form))
        return "/reviews?done=open"

    return acted(act, lambda problem: _page(request, parts, caller, {"state": "claimed"}, None, problem))


@router.post("/reviews/{id_}/answer")
def answer(request: Request, id_: NamedInPath, form: Form, caller: Approver, parts: Shared) -> Response:
    """Approve or refuse; refusing takes a note."""
    state = form.get("state", "open")

    def act() -> str:
        note, revision = or_none(form.get("note")), revision_of(form)
        if form.get("act") == "refuse":
            manage_reviews.refuse_review(id_, read_as(Refusal, note=note), Response(), caller, parts, revision)
        else:
            manage_reviews.approve_review(id_, read_as(Note, note=note), Response(), caller, parts, revision)
        return with_query("/reviews", done="answered", state=state if state in STATES else "open")

    return acted(act, lambda problem: _page(request, parts, caller, {"state": state}, None, problem, id_, form))


def _page(
    request: Request, parts: Parts, caller: Caller, said: dict[str, str], after: str | None,
    problem: Problem | None = None, of: str = "", typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    state = cast("State | None", said.get("state") or None)
    found = manage_reviews.list_reviews(
        caller, parts, state, said.get("policy") or None, said.get("reviewers") or None, after, A_PAGE
    )  # fmt: skip
    more = with_query("/reviews", **said, after=found.next) if found.next else None
    return show(
        request, parts, caller, "reviews.html", reviews=found.reviews, said=said, states=STATES, more=more,
        problem=problem, of=of, typed=typed or {},
    )  # fmt: skip
