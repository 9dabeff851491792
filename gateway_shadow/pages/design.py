"""A policy is designed: as a form and as text, with what it would have done. The text is the document; the form shows
it, and what is typed there is written into it."""

from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse

from gateway_shadow import manage_policies
from gateway_shadow.auth import Caller, Editor, Reader
from gateway_shadow.documents import NamedInPath, PolicyDocument
from gateway_shadow.ledger.read_ledger import reading
from gateway_shadow.pages import design_form
from gateway_shadow.pages.design_view import Looked, look, said_by
from gateway_shadow.pages.drafts import Drafted, drafted
from gateway_shadow.pages.forms import revision_of
from gateway_shadow.pages.merging import PICK, Met, Named, met_of, picks_of
from gateway_shadow.pages.rendering import HEADERS, render, show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.pages.sections import section
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem, of_store
from policy_store import policies
from policy_store.errors import Exists, Stale
from spendgate.model.event import SCOPE_FIELDS

router = pages_router()


@router.get("/design")
def show_new(request: Request, caller: Editor, parts: Shared) -> Response:
    """A new policy."""
    return _page(request, parts, caller, look(design_form.FRESH))


@router.get("/design/{name}")
def show_edit(request: Request, name: NamedInPath, caller: Editor, parts: Shared) -> Response:
    """A new version of a policy."""
    found = manage_policies.get_policy(name, Response(), caller, parts)
    return _page(request, parts, caller, look(found.latest.source), of=found)


@router.post("/design")
async def save_new(request: Request, form: Form, caller: Editor, parts: Shared) -> Response:
    """What was designed becomes a draft, or is shown again with what is wrong."""
    return await _taken(request, form, caller, parts, None)


@router.post("/design/{name}")
async def save_edit(request: Request, name: NamedInPath, form: Form, caller: Editor, parts: Shared) -> Response:
    """The same, as a new version."""
    return await _taken(request, form, caller, parts, name)


@router.post("/design/{name}/merge")
def merge(request: Request, name: NamedInPath, form: Form, caller: Editor, parts: Shared) -> Response:
    """Two edits in one, as was chosen; to be looked at, and saved."""
    named = Named(name, form.get("base", ""), form.get("theirs", ""), form.get("revision", ""))
    text = form.get("mine", "").replace("\r\n", "\n")
    met = met_of(parts, caller, named, text, picks_of(form))
    return _page(request, parts, caller, look(text), name=name, met=met)


@router.post("/design-look")
async def look_again(form: Form, caller: Editor) -> Response:
    """For the page's script: one view after the other was typed in."""
    looked = await run_in_threadpool(lambda: look(said_by(form)))
    said = {"yaml": looked.text, "wrong": [each._asdict() for each in looked.wrong], "html": _form_html(looked)}
    return JSONResponse(said, headers=HEADERS)


@router.post("/design-simulation")
async def simulate_again(request: Request, form: Form, caller: Editor, parts: Shared) -> Response:
    """For the page's script: what the text would have done."""
    looked = await run_in_threadpool(lambda: look(said_by(form)))
    found = await _drafted(parts, caller, looked, form)
    return Response(render("simulation_part.html", drafted=found), media_type="text/html", headers=HEADERS)


@router.get("/design-seen")
def seen(caller: Reader, parts: Shared) -> Response:
    """For the page's script: values that calls have had, by field."""
    found = section(parts.outages, "ledger", lambda: parts.seen.of(caller.tenant, partial(reading, parts, "events")))
    return JSONResponse(found.value or {}, headers=HEADERS)


async def _taken(request: Request, form: dict[str, str], caller: Caller, parts: Parts, name: str | None) -> Response:
    looked = await run_in_threadpool(lambda: look(said_by(form)))
    act, page = form.get("act", "save"), partial(_page, request, parts, caller, looked, form=form, name=name)
    if act in ("simulate", "suggest"):
        return await run_in_threadpool(partial(page, drafted=await _drafted(parts, caller, looked, form)))
    if act != "save":
        return await run_in_threadpool(page)
    if looked.policy is None:
        return await run_in_threadpool(partial(page, status=422, is_tried=True))
    return await run_in_threadpool(_saved, request, parts, caller, looked, form, name)


def _saved(
    request: Request, parts: Parts, caller: Caller, looked: Looked, form: dict[str, str], name: str | None
) -> Response:
    """As the API's own routes for a new policy and an edit do."""
    assert looked.policy is not None, "nothing is wrong with it"
    said = partial(_page, request, parts, caller, looked, form=form, name=name)
    if name is not None and looked.policy.metadata.name != name:
        return said(problem=Problem(422, "bad_field", f"metadata.name: expected {name}: a policy keeps its name"))
    try:
        with parts.changes.of(caller.tenant, caller.person) as change:
            made = (
                policies.create(change, looked.policy, looked.text)
                if name is None
                else policies.edit(change, looked.policy, looked.text, revision_of(form))
            )
    except Stale:
        met = met_of(parts, caller, Named(str(name), form.get("base", "")), looked.text, {})
        if met.choices:
            return show(request, parts, caller, "merge.html", 412, name=name, met=met, mine=looked.text, pick=PICK)
        return said(met=met, status=412)
    except Exists as error:
        return said(problem=of_store(error), status=409)
    return RedirectResponse(f"/policies/{made.name}?done=drafted", 303)


async def _drafted(parts: Parts, caller: Caller, looked: Looked, form: dict[str, str]) -> Drafted:
    if looked.policy is None:
        return Drafted(None, "It is simulated as soon as nothing is wrong with it")
    return await drafted(parts, caller, looked.text, looked.policy, suggests=form.get("act") == "suggest")


def _page(
    request: Request, parts: Parts, caller: Caller, looked: Looked, *, of: PolicyDocument | None = None,
    form: dict[str, str] | None = None, name: str | None = None, problem: Problem | None = None,
    met: Met | None = None, drafted: Drafted | None = None, status: int = 200, is_tried: bool = False,
) -> Response:  # fmt: skip
    parts.runner.expect()
    said = form or {}
    revision, base = said.get("revision", ""), said.get("base", "")
    if of is not None:
        name, revision, base = of.name, str(of.revision), of.latest.hash
    if met is not None:
        revision, base = met.revision, met.hash
        looked = looked if met.text is None else look(met.text)
    return show(
        request, parts, caller, "design.html", problem.status_code if problem else status, looked=looked, name=name,
        revision=revision, base=base, problem=problem, met=met, drafted=drafted, is_tried=is_tried,
        form_html=_form_html(looked), keep=f"design:{caller.tenant}:{name or ''}",
    )  # fmt: skip


def _form_html(looked: Looked) -> str:
    return render("design_form.html", looked=looked, **_choices())


def _choices() -> dict[str, Any]:
    return {"units": design_form.UNITS, "scope_fields": SCOPE_FIELDS}
