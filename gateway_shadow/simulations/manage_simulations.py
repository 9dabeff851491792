"""Simulations as jobs over HTTP: started, watched, cancelled, read."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from gateway_shadow.auth import Caller, Editor, Reader, holds
from gateway_shadow.documents import Name, NamedInPath
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import FieldProblem, Problem
from gateway_shadow.simulations.documents import JobDocument, Jobs
from gateway_shadow.simulations.options import SimulationOptions
from policy_store import jobs, policies
from policy_store.errors import NotFound, StoreAway
from policy_store.jobs import ENDED, Job
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.model.policy_source import check_bytes

router = APIRouter(tags=["simulations"])

MOST_WAIT_S = 25
LOOK_S, FIRST_LOOK_S = 0.5, 0.02
_WAIT = re.compile(r"(?:^|[,;\s])wait=([0-9]{1,4})(?:$|[,;\s])", re.ASCII)


class DraftSimulation(BaseModel):
    """A policy that need not be stored, as text (YAML or JSON) or as an object."""

    model_config = {"extra": "forbid"}
    policy: str | dict[str, Any] = Field(
        examples=[
            {
                "apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "try"},
                "spec": {"rules": [{"boundary": {"max_cost_usd": "0.50", "on_breach": "deny"}}]},
            }
        ]
    )  # fmt: skip
    options: SimulationOptions = SimulationOptions()


def _wait_s(
    prefer: Annotated[str | None, Header(description="`wait=10`: answer once it has ended, if within 10 s.")] = None,
) -> int:
    found = _WAIT.search(prefer or "")
    return min(int(found[1]), MOST_WAIT_S) if found else 0


Patience = Annotated[int, Depends(_wait_s)]
"""For how many seconds the caller waits for the end (RFC 7240)."""


def _read(parts: Parts, tenant: str, id_: str) -> Job:
    with parts.database.read() as connection:
        return jobs.require(connection, tenant, id_)


def _one(id_: NamedInPath, caller: Reader, parts: Shared) -> Job:
    """The job of the path, found before the answer begins."""
    return _read(parts, caller.tenant, id_)


Found = Annotated[Job, Depends(_one)]

_STARTED: dict[int | str, dict[str, Any]] = {200: {"model": JobDocument, "description": "It has ended in time."}}


@router.post(
    "/v1/policies/{name}/versions/{version}/simulations", status_code=202,
    responses={**_STARTED, **problems(404, 409, 422)},
)  # fmt: skip
async def simulate_version(
    name: NamedInPath, version: NamedInPath, response: Response, caller: Editor, parts: Shared, wait_s: Patience,
    options: SimulationOptions | None = None,
) -> JobDocument:  # fmt: skip
    """Simulate a version over the tenant's ledger. Without options, over all that was recorded, which is evidence for
    staging it."""
    asked = options or SimulationOptions()

    def start() -> Job:
        with parts.database.read() as connection:
            found = policies.require_version(connection, caller.tenant, name, version)
        return _start(parts, caller, from_canonical(found.document), asked, is_stored=True)

    return await _started(parts, response, await run_in_threadpool(start), wait_s)


@router.post("/v1/simulations", status_code=202, responses={**_STARTED, **problems(404, 409, 413, 422)})
async def simulate_draft(
    wanted: DraftSimulation, response: Response, caller: Editor, parts: Shared, wait_s: Patience
) -> JobDocument:
    """Simulate a policy that nobody has stored; never evidence. `Prefer: wait=10` answers with the end."""

    def start() -> Job:
        return _start(parts, caller, _policy_of(wanted), wanted.options, is_stored=False)

    return await _started(parts, response, await run_in_threadpool(start), wait_s)


@router.get("/v1/simulations", responses=problems(404, 422))
def list_jobs(
    caller: Reader, parts: Shared, policy: Annotated[Name | None, Query()] = None,
    cursor: Annotated[Name | None, Query(description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Jobs:  # fmt: skip
    """The tenant's simulations, the newest first."""
    with parts.database.read() as connection:
        found = jobs.listed(connection, caller.tenant, policy=policy, before=cursor, most=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return Jobs(items=[JobDocument.of(each) for each in found[:limit]], next=following)


@router.get("/v1/simulations/{id_}", responses=problems(404))
def get_job(found: Found) -> JobDocument:
    """One simulation: how far it is, and how it ended."""
    return JobDocument.of(found)


@router.get(
    "/v1/simulations/{id_}/report", response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **problems(404, 409)},
)  # fmt: skip
def get_report(id_: NamedInPath, caller: Reader, parts: Shared) -> Response:
    """The report, in the bytes whose SHA-256 the simulation names: as `spendgate simulate --json` prints it."""
    with parts.database.read() as connection:
        found, body = jobs.require(connection, caller.tenant, id_), jobs.report(connection, caller.tenant, id_)
    return Response(body, media_type="application/json", headers={"ETag": f'"{found.report_sha256}"'})


@router.post("/v1/simulations/{id_}/cancel", responses=problems(404, 409))
async def cancel(id_: NamedInPath, caller: Editor, parts: Shared) -> JobDocument:
    """End one that waits or runs."""

    def cancelled() -> Job:
        with parts.changes.of(caller.tenant, caller.person) as change:
            return jobs.cancel(change, id_)

    found = await run_in_threadpool(cancelled)
    parts.runner.stop(found.id)
    return JobDocument.of(found)


@router.get("/v1/simulations/{id_}/events", response_class=EventSourceResponse, responses=problems(404))
async def watch(found: Found, caller: Reader, parts: Shared) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` whenever something changed, at last `done`, `failed` or `cancelled`. It ends with
    the simulation, or with the key or session that asks."""
    told = JobDocument.of(found)
    yield _event(told)
    while told.state not in ENDED and not await _is_over(parts, LOOK_S):
        try:
            latest = await run_in_threadpool(_latest, parts, caller, told.id)
        except StoreAway:
            continue
        if latest is None:
            return
        if latest != told:
            told = latest
            yield _event(told)


def _event(told: JobDocument) -> ServerSentEvent:
    return ServerSentEvent(
        event=told.state if told.state in ENDED else "progress", data=told.model_dump(mode="json", by_alias=True)
    )


async def _is_over(parts: Parts, after_s: float) -> bool:
    """Whether the door stops; looked for so long, or until a simulation has ended here."""
    waits = [asyncio.ensure_future(each) for each in (parts.stopping.wait(), parts.runner.ended())]
    await asyncio.wait(waits, timeout=after_s, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    return parts.stopping.is_set()


def _latest(parts: Parts, caller: Caller, id_: str) -> JobDocument | None:
    """What is now; None where there is nothing more to tell, or nobody who may hear it."""
    with parts.database.read() as connection:
        if not holds(connection, caller, parts.changes.now_ms()):
            return None
        try:
            return JobDocument.of(jobs.require(connection, caller.tenant, id_))
        except NotFound:
            return None


def _start(parts: Parts, caller: Caller, policy: Policy, options: SimulationOptions, *, is_stored: bool) -> Job:
    if parts.config.ledger is None:
        raise Problem(409, "no_ledger", "there is no ledger to simulate over: expected SPENDGATE_LEDGER")
    options.require_fit(policy)
    with parts.changes.of(caller.tenant, caller.person) as change:
        if options.against is not None:
            other = policies.require_version(change.connection, caller.tenant, policy.metadata.name, options.against)
            options = options.model_copy(update={"against": other.hash})
        return jobs.start(change, policy, options.text(), is_stored=is_stored)


async def _started(parts: Parts, response: Response, job: Job, wait_s: int) -> JobDocument:
    """The answer to who started a job, once it has ended or the patience has."""
    parts.runner.wake()
    response.headers["Location"] = f"/v1/simulations/{job.id}"
    until, pause_s = time.monotonic() + wait_s, FIRST_LOOK_S
    while job.state not in ENDED and time.monotonic() < until and not await _is_over(parts, pause_s):
        job = await run_in_threadpool(_read, parts, job.tenant, job.id)
        pause_s = min(LOOK_S, pause_s * 1.5)
    if wait_s:
        response.headers["Preference-Applied"] = f"wait={wait_s}"
    if job.state in ENDED:
        response.status_code = 200
    return JobDocument.of(job)


def _policy_of(wanted: DraftSimulation) -> Policy:
    """Raises Problem, with the fields."""
    text = wanted.policy
    try:
        body = (text if isinstance(text, str) else json.dumps(text)).encode()
    except (RecursionError, UnicodeEncodeError):
        body = b""
    sourced, found = check_bytes(body, "policy")
    if found:
        errors = [FieldProblem(field=each.field or "policy", expected=each.expected) for each in found]
        raise Problem(422, "bad_policy", "see errors", errors)
    if len(sourced) != 1:
        raise Problem(422, "bad_policy", "see errors", [FieldProblem(field="policy", expected="one policy")])
    return sourced[0].policy
