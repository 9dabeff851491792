"""Alerts: what was told, what became of it, and where it goes; operators change that."""

from functools import partial
from typing import Annotated, Any, cast

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from gateway_shadow.alerting import manage_alerts
from gateway_shadow.alerting.documents import NewTarget, SecretRotation, ShownTarget, TargetDocument, TargetEdit, Trial
from gateway_shadow.auth import RIGHTS, Caller, Operator, Reader
from gateway_shadow.documents import NamedInPath
from gateway_shadow.pages import alerts_view
from gateway_shadow.pages.addresses import with_query
from gateway_shadow.pages.alerts_view import FIELDS, KINDS, said_of, wanted_of
from gateway_shadow.pages.forms import OVERLAPS, acted, chosen, or_none, placed, read_as, refused, revision_of
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from policy_store.errors import StoreError
from spendgate.model.alert import AlertKind

router = pages_router()
A_PAGE = 50
Typed = Annotated[str, Query(max_length=128)]


@router.get("/alerts")
def show_alerts(
    request: Request, caller: Reader, parts: Shared, policy: Typed = "", kind: Typed = "", after: Typed = ""
) -> Response:
    """The history, the latest first; to operators also where it goes."""
    return _alerts(request, parts, caller, {"policy": policy.strip(), "kind": kind}, after or None)


@router.get("/alerts/targets/{name}")
def show_target(request: Request, name: NamedInPath, caller: Operator, parts: Shared) -> Response:
    """One target, to be changed."""
    return _target(request, parts, caller, name)


@router.post("/alerts/targets")
def add(request: Request, form: Form, caller: Operator, parts: Shared) -> Response:
    """A new target; this page alone shows its secret."""
    try:
        wanted = read_as(NewTarget, name=form.get("name", "").strip(), kind=form.get("kind"), **wanted_of(form))
        made = manage_alerts.create_target(wanted, Response(), caller, parts)
    except (Problem, StoreError) as error:
        return refused(error, lambda problem: _alerts(request, parts, caller, {}, None, problem, form))
    return _target(request, parts, caller, made.about.name, made=made)


@router.post("/alerts/targets/{name}/edit")
def edit(request: Request, name: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Another address, other alerts, or on and off; an address that is left empty stays."""

    def act() -> str:
        wanted = read_as(TargetEdit, **wanted_of(form), enabled=form.get("enabled") == "yes")
        manage_alerts.edit_target(name, wanted, Response(), caller, parts, revision_of(form))
        return with_query(f"/alerts/targets/{name}", done="saved")

    return acted(act, lambda problem: _target(request, parts, caller, name, problem=problem, typed=form))


@router.post("/alerts/targets/{name}/rotate")
def rotate(request: Request, name: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """A new secret; this page alone shows it."""
    try:
        wanted = read_as(SecretRotation, overlap_s=chosen(OVERLAPS, form.get("overlap")))
        made = manage_alerts.rotate_secret(name, wanted, Response(), caller, parts, revision_of(form))
    except (Problem, StoreError) as error:
        return refused(error, lambda problem: _target(request, parts, caller, name, problem=problem))
    return _target(request, parts, caller, name, made=made)


@router.post("/alerts/targets/{name}/test")
async def try_it(request: Request, name: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Send a test now; the page says what came of it."""
    trial = await manage_alerts.try_target(name, caller, parts)
    return await run_in_threadpool(partial(_target, request, parts, caller, name, trial=trial))


@router.post("/alerts/targets/{name}/remove")
def remove(request: Request, name: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Forget it."""

    def act() -> str:
        manage_alerts.remove_target(name, caller, parts, revision_of(form))
        return "/alerts?done=removed"

    return acted(act, lambda problem: _target(request, parts, caller, name, problem=problem))


@router.post("/alerts/{id_}/resend")
def resend(request: Request, id_: NamedInPath, form: Form, caller: Operator, parts: Shared) -> Response:
    """Have an alert sent to a target again."""

    def act() -> str:
        manage_alerts.resend_alert(id_, form.get("target", ""), caller, parts)
        return "/alerts?done=resent"

    return acted(act, lambda problem: _alerts(request, parts, caller, {}, None, problem))


def _alerts(
    request: Request, parts: Parts, caller: Caller, said: dict[str, str], after: str | None,
    problem: Problem | None = None, typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    kind = cast("AlertKind | None", said.get("kind") if said.get("kind") in KINDS else None)
    found = manage_alerts.list_alerts(caller, parts, or_none(said.get("policy")), kind, after, A_PAGE)
    return show(
        request, parts, caller, "alerts.html", alerts=found.alerts, targets=_targets(parts, caller), said=said,
        more=with_query("/alerts", **said, after=found.next) if found.next else None, problem=placed(problem, FIELDS),
        typed=typed or {"from_percent": "1"}, view=alerts_view,
    )  # fmt: skip


def _targets(parts: Parts, caller: Caller) -> list[TargetDocument]:
    """As the API: to operators alone."""
    return manage_alerts.list_targets(caller, parts) if "operate" in RIGHTS[caller.role] else []


def _target(
    request: Request, parts: Parts, caller: Caller, name: str, *, problem: Problem | None = None,
    typed: dict[str, str] | None = None, made: ShownTarget | None = None, trial: Trial | None = None,
) -> Response:  # fmt: skip
    found = manage_alerts.get_target(name, Response(), caller, parts)
    said: dict[str, Any] = said_of(found) if typed is None else typed
    return show(
        request, parts, caller, "alert_target.html", found=found, said=said, problem=placed(problem, FIELDS), made=made,
        trial=trial, view=alerts_view, overlaps=tuple(OVERLAPS),
    )  # fmt: skip
