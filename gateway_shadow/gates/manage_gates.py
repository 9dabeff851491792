"""Reconciliations, gates, waivers and certificates over HTTP: viewers read, operators waive. Nobody writes a result
here: the reconciliation agent does, in the store."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from gateway_shadow.auth import Operator, Reader
from gateway_shadow.documents import Name, NamedInPath, Words
from gateway_shadow.gates.documents import (
    CertificateDocument,
    GateDocument,
    NewRules,
    NewWaiver,
    RulesDocument,
    WaiverDocument,
)
from gateway_shadow.gates.rounds import (
    AskedRoundDocument,
    NewRound,
    RecordedDocument,
    RecordedPage,
    WholeReconciliation,
)
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Shared
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import (
    asked_rounds,
    certificates,
    gates,
    reconciliations,
    settling,
    stagings,
    waivers,
)
from policy_store.errors import NotFound

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
