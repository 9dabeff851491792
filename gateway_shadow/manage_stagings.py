"""Stagings over HTTP: asked for, approved, declined, ended."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway_shadow.auth import Approver, Editor, Reader
from gateway_shadow.documents import Name, NamedInPath, StagingDocument, Submission, Why
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Shared
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import stagings
from policy_store.stagings import Staging

router = APIRouter(tags=["stagings"])
_MOVED = problems(404, 409, 412, 422, 428)


@router.post("/v1/policies/{name}/stagings", status_code=201, responses=problems(404, 409, 422))
def submit(name: NamedInPath, wanted: Submission, response: Response, caller: Editor, parts: Shared) -> StagingDocument:
    """Ask for a version to be staged in shadow. It must have been simulated, or the waiver says why not."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, stagings.submit(change, name, wanted.hash, wanted.waiver))


@router.get("/v1/stagings", responses=problems(422))
def list_stagings(
    caller: Reader, parts: Shared, policy: Annotated[Name | None, Query()] = None
) -> list[StagingDocument]:
    """All stagings of a policy, or of all, the first one first."""
    with parts.database.read() as connection:
        return [StagingDocument.of(found) for found in stagings.of_policy(connection, caller.tenant, policy)]


@router.get("/v1/stagings/{id_}", responses=problems(404))
def get_staging(id_: NamedInPath, response: Response, caller: Reader, parts: Shared) -> StagingDocument:
    """One staging; the ETag is what a move names."""
    with parts.database.read() as connection:
        return _told(response, stagings.require(connection, caller.tenant, id_))


@router.post("/v1/stagings/{id_}/approve", responses=_MOVED)
def approve(
    id_: NamedInPath, why: Why, response: Response, caller: Approver, parts: Shared, revision: IfMatch
) -> StagingDocument:
    """Stage in shadow what was asked for. The approver is not its author, unless the team is one person and says so."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, stagings.approve(change, id_, revision, parts.signer, why.why))


@router.post("/v1/stagings/{id_}/decline", responses=_MOVED)
def decline(
    id_: NamedInPath, why: Why, response: Response, caller: Approver, parts: Shared, revision: IfMatch
) -> StagingDocument:
    """Say no to what was asked for."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, stagings.decline(change, id_, revision, why.why))


@router.post("/v1/stagings/{id_}/withdraw", responses=_MOVED)
def withdraw(
    id_: NamedInPath, why: Why, response: Response, caller: Editor, parts: Shared, revision: IfMatch
) -> StagingDocument:
    """Take back what oneself has asked for."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, stagings.withdraw(change, id_, revision, why.why))


@router.post("/v1/stagings/{id_}/retire", responses=_MOVED)
def retire(
    id_: NamedInPath, why: Why, response: Response, caller: Approver, parts: Shared, revision: IfMatch
) -> StagingDocument:
    """End a staging."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _told(response, stagings.retire(change, id_, revision, parts.signer, why.why))


def _told(response: Response, found: Staging) -> StagingDocument:
    tagged(response, found.revision)
    return StagingDocument.of(found)
