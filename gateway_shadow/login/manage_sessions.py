"""Sessions over HTTP: one's own, for the scripts of a page, and those of the tenant's people, for operators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from gateway_shadow.auth import Operator, Reader
from gateway_shadow.documents import Name, NamedInPath, Words, instant
from gateway_shadow.login.secrets import csrf_token
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Shared
from gateway_shadow.problems import Problem
from policy_store import sessions
from policy_store.api_keys import Role
from policy_store.sessions import Session

router = APIRouter(tags=["people"])


class GrantDocument(BaseModel):
    """What a person may be, and where."""

    tenant: str
    role: Role


class OwnSession(BaseModel):
    """A browser's session. ``csrf_token``: what changes something brings it in ``X-CSRF-Token``."""

    id: str
    person: str
    tenant: str
    role: Role
    grants: list[GrantDocument]
    csrf_token: str
    over_at: datetime | None


class SessionDocument(BaseModel):
    """A session of somebody with a grant in the tenant. ``role``: the one in force, if that is one of this tenant;
    ``key_id``: the key that began it, none if the provider did."""

    id: str
    person: str
    role: Role | None
    key_id: str | None
    created_at: datetime | None
    seen_at: datetime | None
    over_at: datetime | None

    @classmethod
    def of(cls, found: Session, tenant: str) -> "SessionDocument":
        """The answer for a session; what it is in another tenant stays there."""
        here = found.tenant == tenant
        return cls(
            id=found.id, person=found.person, role=found.role if here else None, key_id=found.key_id,
            created_at=instant(found.created_ms), seen_at=instant(found.seen_ms), over_at=instant(found.over_ms),
        )  # fmt: skip


class Revoked(BaseModel):
    """How many were ended."""

    revoked: int


@router.get("/v1/session", responses=problems(404))
def get_session(request: Request, response: Response, caller: Reader, parts: Shared) -> OwnSession:
    """The caller's own session, if it has one and not a key."""
    if not caller.has_session:
        raise Problem(404, "no_session", "expected a browser's session; this is a key")
    response.headers["Cache-Control"] = "no-store"
    with parts.database.read() as connection:
        found, grants = sessions.get(connection, caller.key_id), sessions.grants_of(connection, caller.key_id)
    return OwnSession(
        id=caller.key_id, person=caller.person, tenant=caller.tenant, role=caller.role,
        grants=[GrantDocument(**each._asdict()) for each in grants],
        csrf_token=csrf_token(parts.login.site.session_text(request)),
        over_at=instant(None if found is None else found.over_ms),
    )  # fmt: skip


@router.get("/v1/sessions", responses=problems(422))
def list_sessions(
    caller: Operator, parts: Shared, person: Annotated[Name | None, Query()] = None
) -> list[SessionDocument]:
    """The sessions that are not over, the latest one first."""
    with parts.database.read() as connection:
        found = sessions.listed(connection, caller.tenant, valid_ms=parts.changes.now_ms(), person=person)
    return [SessionDocument.of(each, caller.tenant) for each in found]


@router.delete("/v1/sessions", responses=problems(422))
def revoke_sessions(
    person: Annotated[Name, Query()], caller: Operator, parts: Shared, why: Annotated[Words | None, Query()] = None
) -> Revoked:
    """End all sessions of a person."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return Revoked(revoked=len(sessions.revoke_all(change, person, why)))


@router.delete("/v1/sessions/{id_}", responses=problems(404, 409, 422))
def revoke_session(
    id_: NamedInPath, caller: Operator, parts: Shared, why: Annotated[Words | None, Query()] = None
) -> SessionDocument:
    """End a session at once; every process obeys within two seconds."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return SessionDocument.of(sessions.revoke(change, id_, why), caller.tenant)
