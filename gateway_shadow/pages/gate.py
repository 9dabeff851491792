"""The gate of each staging and what is enforced: two operators turn on, one turns off."""

from functools import partial

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from gateway_shadow import manage_stagings
from gateway_shadow.auth import Caller, Operator, Reader
from gateway_shadow.documents import NamedInPath, Why
from gateway_shadow.flags import manage_flags
from gateway_shadow.flags.documents import Flip, Off
from gateway_shadow.gates import manage_gates
from gateway_shadow.gates.documents import CertificateDocument, NewWaiver
from gateway_shadow.pages import gate_view
from gateway_shadow.pages.forms import acted, or_none, read_as, refused
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store.errors import NotFound, StoreError
from policy_store.lifecycle import LIVE
from spendgate.model.event import SCOPE_FIELDS

router = pages_router()
MOST_GATES = 20
"""Gates that are looked at for the list; the others are named."""


@router.get("/gate")
def show_gates(request: Request, caller: Reader, parts: Shared) -> Response:
    """Every staging that is live, its gate, the flags, and what waits to be confirmed."""
    return _gates(request, parts, caller)


@router.get("/gate/{id_}")
def show_gate(request: Request, id_: NamedInPath, caller: Reader, parts: Shared) -> Response:
    """One staging's gate: criteria, certificate, reconciliations, flag."""
    return _gate(request, parts, caller, id_)


@router.post("/gate/ask")
async def ask(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """Ask for a flag to be turned on."""
    staging = or_none(form.get("staging"))
    again = partial(_gate, request, parts, caller, staging) if staging else partial(_gates, request, parts, caller)
    try:
        wanted = read_as(Flip, level=form.get("level"), staging=staging, share=_share(form), why=form.get("why", ""))
        await manage_flags.request_on(wanted, caller, parts)
    except (Problem, StoreError) as error:
        return await run_in_threadpool(refused, error, lambda problem: again(problem=problem, typed=form))
    return RedirectResponse("/gate?done=asked", 303)


@router.post("/gate/requests/{id_}/confirm")
async def confirm(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Turn on what another operator has asked for."""
    try:
        why = read_as(Why, why=or_none(form.get("why")))
        await manage_flags.confirm(id_, why, caller, parts)
    except (Problem, StoreError) as error:
        return await run_in_threadpool(refused, error, lambda problem: _gates(request, parts, caller, problem=problem))
    return RedirectResponse("/gate?done=on", 303)


@router.post("/gate/requests/{id_}/withdraw")
def withdraw(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Take a request back."""

    def act() -> str:
        manage_flags.withdraw(id_, read_as(Why, why=or_none(form.get("why"))), caller, parts)
        return "/gate?done=withdrawn"

    return acted(act, lambda problem: _gates(request, parts, caller, problem=problem))


@router.post("/gate/off")
def turn_off(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """Turn a flag off at once, and all beneath it."""

    def act() -> str:
        staging = or_none(form.get("staging"))
        wanted = read_as(Off, level=form.get("level"), staging=staging, why=form.get("why", ""))
        manage_flags.turn_off(wanted, caller, parts)
        return "/gate?done=off"

    return acted(act, lambda problem: _gates(request, parts, caller, problem=problem, typed=form))


@router.post("/gate/{id_}/waive")
def waive(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Have a criterion not count for a staging."""

    def act() -> str:
        wanted = read_as(NewWaiver, criterion=form.get("criterion"), why=form.get("why", ""))
        manage_gates.waive(id_, wanted, caller, parts)
        return f"/gate/{id_}?done=waived"

    return acted(act, lambda problem: _gate(request, parts, caller, id_, problem=problem, typed=form))


@router.post("/gate/{id_}/waivers/{waiver}/end")
def end_waiver(
    request: Request, id_: NamedInPath, waiver: NamedInPath, form: Form, caller: Operator, parts: Shared
) -> Response:
    """Have a criterion count again."""

    def act() -> str:
        why = read_as(Why, why=or_none(form.get("why"))).why
        manage_gates.take_waiver_back(waiver, caller, parts, why)
        return f"/gate/{id_}?done=counts"

    return acted(act, lambda problem: _gate(request, parts, caller, id_, problem=problem))


def _share(form: dict[str, str]) -> dict[str, object] | None:
    """For which calls; None for all."""
    by = form.get("by", "")
    if not by:
        return None
    owners = [each.strip() for each in form.get("owners", "").split(",") if each.strip()]
    percent = form.get("percent", "").strip()
    said: dict[str, object] = {"owners": owners} if owners else {}
    return {"by": by, **said, **({"percent": int(percent)} if percent.isdecimal() else {})}


def _gates(
    request: Request, parts: Parts, caller: Caller, *, problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    status = manage_flags.get_enforcement(caller, parts)
    live = [each for each in manage_stagings.list_stagings(caller, parts) if each.state in LIVE]
    latest = live[-MOST_GATES:]
    gates = [manage_gates.get_gate(each.id, caller, parts) for each in latest]
    return show(
        request, parts, caller, "gates.html", enforcement=status, gates=list(zip(latest, gates, strict=True)),
        others=live[:-MOST_GATES],
        requests=manage_flags.list_requests(caller, parts), problem=problem, typed=typed or {},
    )  # fmt: skip


def _gate(
    request: Request, parts: Parts, caller: Caller, id_: str, *, problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    staging = manage_stagings.get_staging(id_, Response(), caller, parts)
    gate = manage_gates.get_gate(id_, caller, parts)
    past = manage_gates.list_reconciliations(caller, parts, None, id_, None, 20).reconciliations
    latest = manage_gates.get_reconciliation(past[0].id, caller, parts).result if past else None
    status = manage_flags.get_enforcement(caller, parts)
    return show(
        request, parts, caller, "gate.html", staging=staging, gate=gate, past=past,
        lines=gate_view.lines(gate.criteria),
        agreement=None if latest is None else gate_view.agreement(latest),
        certificate=_certificate(parts, caller, id_), waivers=manage_gates.list_waivers(id_, caller, parts),
        is_on=any(each.staging == id_ for each in status.enforced), fields=SCOPE_FIELDS, problem=problem,
        typed=typed or {},
    )  # fmt: skip


def _certificate(parts: Parts, caller: Caller, id_: str) -> CertificateDocument | None:
    try:
        return manage_gates.get_certificate(id_, caller, parts)
    except NotFound:
        return None
