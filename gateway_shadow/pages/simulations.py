"""Simulations: started, watched, read, compared, carried away."""

from typing import Annotated, Any

import msgspec
from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from gateway_shadow import manage_policies
from gateway_shadow.auth import Caller, Editor, Reader
from gateway_shadow.documents import NamedInPath
from gateway_shadow.pages.addresses import with_query
from gateway_shadow.pages.forms import or_none, read_as
from gateway_shadow.pages.rendering import show
from gateway_shadow.pages.route import Form, pages_router
from gateway_shadow.pages.simulation_view import compared, simulation_view
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem, of_store
from gateway_shadow.simulations import manage_simulations
from gateway_shadow.simulations.documents import JobDocument
from gateway_shadow.simulations.options import SimulationOptions
from policy_store import jobs
from policy_store.errors import StoreAway, StoreError
from policy_store.jobs import ENDED

router = pages_router()
A_PAGE, MOST_VERSIONS = 30, 50
Typed = Annotated[str, Query(max_length=128)]
OPTIONS = ("from", "to", "against", "sweep", "suggest", "reviews", "prices_at")


@router.get("/simulations")
def show_simulations(
    request: Request, caller: Reader, parts: Shared, policy: Typed = "", cursor: Typed = ""
) -> Response:
    """The newest first."""
    return _page(request, parts, caller, policy.strip(), cursor or None)


@router.post("/simulations")
async def start(request: Request, form: Form, caller: Editor, parts: Shared) -> Response:
    """Simulate a version, as asked."""
    try:
        policy, _, version = form.get("version", "").partition(" ")
        said: dict[str, Any] = {name: _instant(name, or_none(form.get(name))) for name in OPTIONS}
        options = read_as(SimulationOptions, **said, as_recorded=form.get("as_recorded") == "yes" or None)
        job = await manage_simulations.simulate_version(policy, version, Response(), caller, parts, 0, options)
        address = f"/simulations/{job.id}"
    except StoreAway:
        raise
    except (Problem, StoreError) as error:
        problem = of_store(error) if isinstance(error, StoreError) else error
        shown = await run_in_threadpool(_page, request, parts, caller, "", None, problem, form)
        shown.status_code = problem.status_code
        return shown
    return RedirectResponse(address, 303)


@router.get("/simulations/{id_}")
def show_simulation(request: Request, id_: NamedInPath, caller: Reader, parts: Shared) -> Response:
    """One: how far it is, and its report."""
    with parts.database.read() as connection:
        job = JobDocument.of(jobs.require(connection, caller.tenant, id_))
    report = None
    if job.state == "done":
        report = msgspec.json.decode(manage_simulations.get_report(id_, caller, parts).body)
    return show(
        request, parts, caller, "simulation.html", job=job, is_over=job.state in ENDED, report=report,
        view=None if report is None else simulation_view(report),
        compared=None if report is None else compared(report.get("compare")),
    )  # fmt: skip


@router.post("/simulations/{id_}/cancel")
async def cancel(id_: NamedInPath, form: Form, caller: Editor, parts: Shared) -> Response:
    """End one that waits or runs."""
    await manage_simulations.cancel(id_, caller, parts)
    return RedirectResponse(f"/simulations/{id_}?done=cancelled", 303)


def _instant(name: str, text: str | None) -> str | None:
    """A day as its midnight, UTC."""
    return f"{text}T00:00:00Z" if text is not None and name in ("from", "to", "prices_at") and len(text) == 10 else text


def _page(
    request: Request, parts: Parts, caller: Caller, policy: str, cursor: str | None, problem: Problem | None = None,
    typed: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    found = manage_simulations.list_jobs(caller, parts, policy or None, cursor, A_PAGE)
    versions = _versions(parts, caller, policy)
    more = with_query("/simulations", policy=policy, cursor=found.next) if found.next else None
    return show(
        request, parts, caller, "simulations.html", jobs=found.items, policy=policy, more=more, problem=problem,
        versions=versions, typed=typed or {},
    )  # fmt: skip


def _versions(parts: Parts, caller: Caller, policy: str) -> list[tuple[str, int, str]]:
    """What can be simulated: a policy's latest versions, or of each policy the latest one. Name, number, hash."""
    known = manage_policies.list_policies(caller, parts)
    if policy in {each.name for each in known}:
        found = manage_policies.list_versions(policy, caller, parts)[-MOST_VERSIONS:]
        return [(policy, each.number, each.hash) for each in found]
    return [(each.name, each.latest.number, each.latest.hash) for each in known]
