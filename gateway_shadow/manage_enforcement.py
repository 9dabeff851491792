"""Reconciliations, gates, certificates and the flag over HTTP: viewers read, operators turn. Nobody writes a result
here: the reconciliation agent does, in the store."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from gateway_shadow.auth import Caller, Operator, Reader
from gateway_shadow.documents import Name, NamedInPath, Why, Words
from gateway_shadow.enforcement_documents import (
    AskedRoundDocument,
    CertificateDocument,
    EndedDocument,
    FlagDocument,
    Flip,
    GateDocument,
    NewRound,
    NewRules,
    NewWaiver,
    Off,
    RecordedDocument,
    RecordedPage,
    RequestDocument,
    RulesDocument,
    Status,
    WaiverDocument,
    WholeReconciliation,
)
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import Problem
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import (
    asked_rounds,
    certificates,
    enforcement,
    flags,
    flip_requests,
    gates,
    reconciliations,
    settling,
    stagings,
    tenants,
    waivers,
)
from policy_store.audit import SYSTEM
from policy_store.errors import NotFound
from policy_store.flags import Level
from window_counters.protocol import StoreUnavailable, StoreUnfit

router = APIRouter(tags=["enforcement"])
_RAW: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}


@router.get("/v1/reconciliations", responses=problems(422))
def list_reconciliations(
    caller: Reader, parts: Shared,
    policy: Annotated[Name | None, Query()] = None,
    staging: Annotated[Name | None, Query()] = None,
    before: Annotated[int | None, Query(ge=1, lt=2**62, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> RecordedPage:  # fmt: skip
    """The history of reconciliations, the latest first."""
    with parts.database.read() as connection:
        found = reconciliations.listed(
            connection, caller.tenant, policy=policy, staging=staging, before=before, most=limit + 1
        )
    shown = found[:limit]
    return RecordedPage(
        reconciliations=[RecordedDocument.of(each) for each in shown],
        next=shown[-1].number if len(found) > limit else None,
    )


@router.get("/v1/reconciliations/{id_}", responses=problems(404))
def get_reconciliation(id_: NamedInPath, caller: Reader, parts: Shared) -> WholeReconciliation:
    """One reconciliation with all of its result."""
    with parts.database.read() as connection:
        return WholeReconciliation.of(*reconciliations.require(connection, caller.tenant, id_))


@router.post("/v1/stagings/{id_}/reconcile", status_code=202, responses=problems(404, 409, 422))
def ask_for_round(id_: NamedInPath, wanted: NewRound, caller: Operator, parts: Shared) -> AskedRoundDocument:
    """Ask the reconciliation agent for a round now; what waits or is being made already is that one. Of a part of the
    log it proves nothing, but a fault in it counts."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        staging = stagings.require(change.connection, caller.tenant, id_)
        return AskedRoundDocument.of(asked_rounds.ask(change, staging, *wanted.interval_ms()))


@router.get("/v1/stagings/{id_}/reconcile", responses=problems(404))
def list_asked_rounds(id_: NamedInPath, caller: Reader, parts: Shared) -> list[AskedRoundDocument]:
    """The last hundred rounds that were asked for, the latest first, and what came of each."""
    with parts.database.read() as connection:
        stagings.require(connection, caller.tenant, id_)
        return [AskedRoundDocument.of(each) for each in asked_rounds.listed(connection, caller.tenant, id_)]


@router.get("/v1/stagings/{id_}/gate", responses=problems(404))
def get_gate(id_: NamedInPath, caller: Reader, parts: Shared) -> GateDocument:
    """A staging's gate as it is now: every criterion, what is missing, and when it could be ready at the earliest."""
    with parts.database.read() as connection:
        found = stagings.require(connection, caller.tenant, id_)
        return GateDocument.of(gates.look(connection, found, parts.changes.now_ms()))


@router.get("/v1/gate/criteria", responses=problems(404))
def get_criteria(response: Response, caller: Reader, parts: Shared) -> RulesDocument:
    """The tenant's criteria; the ETag is what a change names."""
    with parts.database.read() as connection:
        found = gates.rules_of(connection, caller.tenant)
    tagged(response, found.revision)
    return RulesDocument.of(found)


@router.put("/v1/gate/criteria", responses=problems(404, 412, 422, 428))
def set_criteria(
    wanted: NewRules, response: Response, caller: Operator, parts: Shared, revision: IfMatch
) -> RulesDocument:
    """Other criteria, within their limits. Gates are shut until shadow was measured against them; what is enforced
    goes on, on its certificate."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        found = gates.set_rules(change, wanted.rules, revision, wanted.why)
        settling.settle_all(change, parts.signer)
    tagged(response, found.revision)
    return RulesDocument.of(found)


@router.get("/v1/stagings/{id_}/waivers", responses=problems(404))
def list_waivers(id_: NamedInPath, caller: Reader, parts: Shared) -> list[WaiverDocument]:
    """All waivers of a staging, the first one first."""
    with parts.database.read() as connection:
        stagings.require(connection, caller.tenant, id_)
        return [WaiverDocument.of(each) for each in waivers.of(connection, caller.tenant, id_)]


@router.post("/v1/stagings/{id_}/waivers", status_code=201, responses=problems(404, 409, 422))
def waive(id_: NamedInPath, wanted: NewWaiver, caller: Operator, parts: Shared) -> WaiverDocument:
    """Have a criterion not count for a staging."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        staging = stagings.require(change.connection, caller.tenant, id_)
        made = waivers.give(change, staging, wanted.criterion, wanted.why)
        settling.settle(change, staging, parts.signer)
    return WaiverDocument.of(made)


@router.delete("/v1/waivers/{id_}", responses=problems(404, 409))
def take_waiver_back(
    id_: NamedInPath, caller: Operator, parts: Shared, why: Annotated[Words | None, Query()] = None
) -> WaiverDocument:
    """End a waiver; what was certified with it holds until its certificate ends."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        made = waivers.take_back(change, id_, why)
        settling.settle(change, stagings.require(change.connection, caller.tenant, made.staging), parts.signer)
    return WaiverDocument.of(made)


@router.get("/v1/stagings/{id_}/certificate", responses=problems(404))
def get_certificate(id_: NamedInPath, caller: Reader, parts: Shared) -> CertificateDocument:
    """A staging's latest certificate, and whether it holds now."""
    with parts.database.read() as connection:
        staging = stagings.require(connection, caller.tenant, id_)
        found = certificates.latest(connection, caller.tenant, id_)
        if found is None:
            raise NotFound(f"staging {id_}: there is no certificate; its gate has not been open yet")
        subject = gates.subject_of(connection, staging)
    problem = certificates.problem_of(found, parts.signer, subject, parts.changes.now_ms())
    return CertificateDocument.of(found, problem)


@router.get("/v1/certificates/{id_}", response_class=Response, responses={**problems(404), **_RAW})
def get_certificate_itself(id_: NamedInPath, caller: Reader, parts: Shared) -> Response:
    """A certificate to the byte, as it is verified."""
    with parts.database.read() as connection:
        found = certificates.require(connection, caller.tenant, id_)
    return Response(found.document, media_type="application/json")


@router.get("/v1/enforcement", responses=problems())
def get_enforcement(caller: Reader, parts: Shared) -> Status:
    """What is enforced now: *Shadow only: nothing is blocked*, or exactly what, for whom, since when, by whom, on which
    certificate; and what waits to be confirmed."""
    now_ms = parts.changes.now_ms()
    with parts.database.read() as connection:
        view = flags.read_flags(connection)
        waiting = [
            each
            for tenant in _tenants(caller, parts)
            for each in flip_requests.listed(connection, tenant, now_ms)
            if each.state == "open"
        ]
    return Status.of(view, caller.tenant, waiting, now_ms)


@router.get("/v1/enforcement/requests", responses=problems())
def list_requests(caller: Reader, parts: Shared) -> list[RequestDocument]:
    """The last hundred requests, the latest first."""
    now_ms = parts.changes.now_ms()
    with parts.database.read() as connection:
        found = [
            each for tenant in _tenants(caller, parts) for each in flip_requests.listed(connection, tenant, now_ms)
        ]
    return [RequestDocument.of(each) for each in sorted(found, key=lambda each: -each.asked_ms)[:100]]


@router.post("/v1/enforcement/requests", status_code=201, responses=problems(404, 409, 422))
async def request_on(wanted: Flip, caller: Operator, parts: Shared) -> RequestDocument:
    """Ask for a flag to be turned on; another operator confirms it within an hour. Refused while Redis is away."""
    await _require_redis(parts)

    def ask() -> flip_requests.Request:
        with parts.changes.of(_tenant_of(wanted.level, caller, parts), caller.person) as change:
            share = None if wanted.share is None else wanted.share.share()
            return enforcement.request_on(change, wanted.level, wanted.staging, share, wanted.why)

    return RequestDocument.of(await run_in_threadpool(ask))


@router.post("/v1/enforcement/requests/{id_}/confirm", responses=problems(404, 409, 422))
async def confirm(id_: NamedInPath, said: Why, caller: Operator, parts: Shared) -> FlagDocument:
    """Turn on what another operator has asked for, if the gate is open at this moment. Refused while Redis is away."""
    await _require_redis(parts)

    def turn_on() -> flags.Flag:
        with parts.changes.of(_tenant_of_request(id_, caller, parts), caller.person) as change:
            return enforcement.confirm_on(change, id_, parts.signer, said.why)

    return FlagDocument.of(await run_in_threadpool(turn_on))


@router.post("/v1/enforcement/requests/{id_}/withdraw", responses=problems(404, 409, 422))
def withdraw(id_: NamedInPath, said: Why, caller: Operator, parts: Shared) -> RequestDocument:
    """Take a request back, one's own or another operator's."""
    with parts.changes.of(_tenant_of_request(id_, caller, parts), caller.person) as change:
        return RequestDocument.of(enforcement.withdraw(change, id_, said.why))


@router.post("/v1/enforcement/off", responses=problems(404, 409, 422))
def turn_off(wanted: Off, caller: Operator, parts: Shared) -> EndedDocument:
    """Turn a flag off at once, and all that is beneath it; neither Kafka nor Redis is needed. What is off stays so."""
    tenant = _tenant_of(wanted.level, caller, parts)
    with parts.changes.of(tenant, caller.person) as change:
        found = enforcement.off(change, wanted.level, wanted.staging, wanted.why, parts.signer)
    if wanted.level == "global":
        back = enforcement.finish_off(parts.changes, caller.person, wanted.why, parts.signer)
        found = found._replace(demoted=(*found.demoted, *back))
    return EndedDocument.of(found)


def _tenants(caller: Caller, parts: Parts) -> list[str]:
    """Whose requests somebody sees: their own tenant's, and with the right to it those of the global flag."""
    return [caller.tenant, *([SYSTEM] if _runs_it(caller, parts) else [])]


def _tenant_of(level: Level, caller: Caller, parts: Parts) -> str:
    """Whose flag it is. Raises Problem 403 for the global one, by an operator of a tenant that does not run it all."""
    if level == "global" and not _runs_it(caller, parts):
        words = "the global flag is every tenant's: expected an operator of the tenant in SPENDGATE_HOME_TENANT"
        raise Problem(403, "not_allowed", f"{words}, or of the only tenant that there is")
    return SYSTEM if level == "global" else caller.tenant


def _tenant_of_request(id_: str, caller: Caller, parts: Parts) -> str:
    """Whose request it is: the caller's, or the store's own if the caller may turn the global flag."""
    with parts.database.read() as connection:
        for tenant in _tenants(caller, parts):
            try:
                return flip_requests.require(connection, tenant, id_).tenant
            except NotFound:
                continue
    return caller.tenant


def _runs_it(caller: Caller, parts: Parts) -> bool:
    """Whether the caller's tenant is the one that runs the installation."""
    if parts.config.home_tenant is not None:
        return caller.tenant == parts.config.home_tenant
    with parts.database.read() as connection:
        return tenants.names(connection) == [caller.tenant]


async def _require_redis(parts: Parts) -> None:
    """Without Redis nothing could be enforced, and calls would follow the policy's fail mode. Raises Problem 503."""
    if parts.checker is None:
        return
    try:
        await parts.checker.store.check_fit()
    except (StoreUnavailable, StoreUnfit, OSError):
        words = "Redis does not answer, so nothing could be enforced; nothing was changed, try again when it does"
        raise Problem(503, "redis_away", words, headers={"Retry-After": "5"}) from None
