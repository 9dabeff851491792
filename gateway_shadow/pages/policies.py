"""Policies: the list, one with its history, and its way into shadow."""

from fastapi import Request, Response
from starlette.responses import RedirectResponse

from gateway_shadow import manage_people, manage_policies, manage_stagings
from gateway_shadow.auth import RIGHTS, Approver, Caller, Editor, Reader
from gateway_shadow.documents import NamedInPath, Submission, Why
from gateway_shadow.pages import policies_view
from gateway_shadow.pages.forms import acted, or_none, read_as, revision_of
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from gateway_shadow.simulations import manage_simulations
from policy_store import policies, stagings
from spendgate.model.canonical import from_canonical

router = pages_router()


@router.get("/policies")
def show_policies(request: Request, caller: Reader, parts: Shared) -> Response:
    """All of them."""
    _expect(caller, parts)
    rows = policies_view.rows(
        manage_policies.list_policies(caller, parts), manage_stagings.list_stagings(caller, parts)
    )  # fmt: skip
    return show(request, parts, caller, "policies.html", rows=rows)


@router.get("/policies/{name}")
def show_policy(request: Request, name: NamedInPath, caller: Reader, parts: Shared) -> Response:
    """One."""
    _expect(caller, parts)
    return _page(request, parts, caller, name)


def _expect(caller: Caller, parts: Parts) -> None:
    """Who may edit is a click away from a draft that is simulated."""
    if "edit" in RIGHTS[caller.role]:
        parts.runner.expect()


@router.post("/policies/{name}/submit")
def submit(request: Request, name: NamedInPath, form: Form, caller: Editor, parts: Shared) -> Response:
    """Ask for its latest version to be staged."""

    def act() -> str:
        wanted = read_as(Submission, hash=form.get("hash", ""), waiver=or_none(form.get("waiver")))
        manage_stagings.submit(name, wanted, Response(), caller, parts)
        return f"/policies/{name}?done=submitted"

    return acted(act, lambda problem: _page(request, parts, caller, name, problem, form))


@router.post("/policies/{name}/simulate")
async def simulate(name: NamedInPath, form: Form, caller: Editor, parts: Shared) -> Response:
    """Simulate a version over all that was recorded: that is evidence."""
    job = await manage_simulations.simulate_version(name, form.get("version", ""), Response(), caller, parts, 0)
    return RedirectResponse(f"/simulations/{job.id}", 303)


def _moved(
    request: Request, id_: str, form: dict[str, str], caller: Caller, parts: Parts, action: str
) -> Response:  # fmt: skip
    move = getattr(manage_stagings, action)

    def policy() -> str:
        with parts.database.read() as connection:
            return stagings.require(connection, caller.tenant, id_).policy

    def act() -> str:
        why = read_as(Why, why=or_none(form.get("why")))
        found = move(id_, why, Response(), caller, parts, revision_of(form))
        return f"/policies/{found.policy}?done={found.state}"

    return acted(act, lambda problem: _page(request, parts, caller, policy(), problem, form))


@router.post("/stagings/{id_}/approve")
def approve(request: Request, id_: NamedInPath, form: Form, caller: Approver, parts: Shared) -> Response:
    """Stage it in shadow."""
    return _moved(request, id_, form, caller, parts, "approve")


@router.post("/stagings/{id_}/decline")
def decline(request: Request, id_: NamedInPath, form: Form, caller: Approver, parts: Shared) -> Response:
    """Say no."""
    return _moved(request, id_, form, caller, parts, "decline")


@router.post("/stagings/{id_}/retire")
def retire(request: Request, id_: NamedInPath, form: Form, caller: Approver, parts: Shared) -> Response:
    """End it."""
    return _moved(request, id_, form, caller, parts, "retire")


@router.post("/stagings/{id_}/withdraw")
def withdraw(request: Request, id_: NamedInPath, form: Form, caller: Editor, parts: Shared) -> Response:
    """Take it back."""
    return _moved(request, id_, form, caller, parts, "withdraw")


def _page(
    request: Request, parts: Parts, caller: Caller, name: str, problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    found = manage_policies.get_policy(name, Response(), caller, parts)
    documents = manage_policies.list_versions(name, caller, parts)
    with parts.database.read() as connection:
        kept = {each.hash: from_canonical(each.document) for each in policies.history(connection, caller.tenant, name)}
    simulated = {
        each.hash: manage_policies.list_simulations(name, each.hash, caller, parts) for each in documents[-20:]
    }
    staged = manage_stagings.list_stagings(caller, parts, name)
    one_person = manage_people.get_settings(Response(), caller, parts).one_person
    return show(
        request, parts, caller, "policy.html", policy=found, stagings=staged, problem=problem, typed=typed or {},
        steps=policies_view.steps(found.latest, staged, one_person=one_person),
        can_submit=policies_view.can_submit(found.latest, staged), words=policies_view.words(kept[found.latest.hash]),
        numbers={each.hash: each.number for each in documents},
        history=policies_view.history([(each, kept[each.hash]) for each in documents], simulated),
    )  # fmt: skip
