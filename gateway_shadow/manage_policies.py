"""Policies, their versions and simulations, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from gateway_shadow.auth import Editor, Reader
from gateway_shadow.documents import Name, NamedInPath, PolicyDocument, SimulationDocument, VersionDocument
from gateway_shadow.guard import body_of
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.problems import FieldProblem, Problem
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import policies, simulations
from policy_store.policies import Listed
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.model.policy_diff import diff_policies
from spendgate.model.policy_source import check_bytes

router = APIRouter(tags=["policies"])

_EXAMPLE = """\
apiVersion: spendgate/v1
kind: Policy
metadata: {name: marketing-monthly, owner: finance-ai}
spec:
  scope: {team: [marketing]}
  rules:
    - budget: {cap_usd: "500", window: {calendar: month, timezone: UTC}, per: [team], on_breach: deny}
"""
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}, "example": _EXAMPLE},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}
_WRITTEN = problems(400, 409, 413, 415, 422)


class Changed(BaseModel):
    """What changed between two versions, in words."""

    changes: list[str]


@router.get("/v1/policies", responses=problems())
def list_policies(caller: Reader, parts: Shared) -> list[PolicyDocument]:
    """All policies, each with its latest version."""
    with parts.database.read() as connection:
        return [PolicyDocument.of(found) for found in policies.listed(connection, caller.tenant)]


@router.post("/v1/policies", status_code=201, response_model=PolicyDocument, openapi_extra=_BODY, responses=_WRITTEN)
async def create_policy(request: Request, response: Response, caller: Editor, parts: Shared) -> PolicyDocument:
    """A new policy, as a draft; YAML or JSON."""
    policy, source = await _policy_of(request, parts)

    def create() -> Listed:
        with parts.changes.of(caller.tenant, caller.person) as change:
            return policies.create(change, policy, source)

    return _told(response, await run_in_threadpool(create))


@router.get("/v1/policies/{name}", responses=problems(404))
def get_policy(name: NamedInPath, response: Response, caller: Reader, parts: Shared) -> PolicyDocument:
    """A policy with its latest version; the ETag is what an edit names."""
    with parts.database.read() as connection:
        return _told(response, policies.require(connection, caller.tenant, name))


@router.put(
    "/v1/policies/{name}", response_model=PolicyDocument, openapi_extra=_BODY,
    responses={**_WRITTEN, **problems(404, 412, 428)},
)  # fmt: skip
async def edit_policy(
    name: NamedInPath, request: Request, response: Response, caller: Editor, parts: Shared, revision: IfMatch
) -> PolicyDocument:
    """A new version, as a draft; nothing that runs is touched. The same content again changes nothing."""
    policy, source = await _policy_of(request, parts)
    if policy.metadata.name != name:
        expected = FieldProblem(field="metadata.name", expected="the name in the address")
        raise Problem(422, "bad_field", "see errors", [expected])

    def edit() -> Listed:
        with parts.changes.of(caller.tenant, caller.person) as change:
            return policies.edit(change, policy, source, revision)

    return _told(response, await run_in_threadpool(edit))


@router.get("/v1/policies/{name}/versions", responses=problems(404))
def list_versions(name: NamedInPath, caller: Reader, parts: Shared) -> list[VersionDocument]:
    """All versions, the first one first."""
    with parts.database.read() as connection:
        policies.require(connection, caller.tenant, name)
        return [VersionDocument.of(found) for found in policies.history(connection, caller.tenant, name)]


@router.get("/v1/policies/{name}/diff", responses=problems(404))
def diff_versions(
    name: NamedInPath, caller: Reader, parts: Shared,
    before: Annotated[Name, Query(description="A version's hash, or its first digits.")],
    after: Annotated[Name, Query(description="A version's hash, or its first digits.")],
) -> Changed:  # fmt: skip
    """What changed from one version to another, in words."""
    with parts.database.read() as connection:
        old, new = (policies.require_version(connection, caller.tenant, name, each) for each in (before, after))
    found = diff_policies(from_canonical(old.document), from_canonical(new.document))
    return Changed(changes=[change.words for change in found.changes])


@router.get("/v1/policies/{name}/versions/{version}/simulations", responses=problems(404))
def list_simulations(
    name: NamedInPath, version: NamedInPath, caller: Reader, parts: Shared
) -> list[SimulationDocument]:
    """The recorded simulations of a version."""
    with parts.database.read() as connection:
        found = policies.require_version(connection, caller.tenant, name, version)
        return [SimulationDocument.of(each) for each in simulations.of(connection, caller.tenant, name, found.hash)]


async def _policy_of(request: Request, parts: Parts) -> tuple[Policy, str]:
    """The one policy of a body, and its text. Raises Problem."""
    body = await body_of(request, parts.config.limits)
    sourced, found = check_bytes(body, "body")
    if found:
        errors = [FieldProblem(field=each.field or None, expected=each.expected) for each in found]
        raise Problem(422, "bad_policy", "see errors", errors)
    if len(sourced) != 1:
        raise Problem(422, "bad_policy", "body: expected one policy")
    return sourced[0].policy, body.decode()


def _told(response: Response, found: Listed) -> PolicyDocument:
    tagged(response, found.revision)
    return PolicyDocument.of(found)
