"""Keys, settings, the audit trail, and who one is."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from gateway_shadow.auth import RIGHTS, Caller, Operator, Reader
from gateway_shadow.documents import (
    AuditDocument,
    KeyDocument,
    Me,
    NamedInPath,
    NewKey,
    NewSettings,
    Rotation,
    SettingsDocument,
    ShownKey,
    Words,
)
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import api_keys, audit, tenants

router = APIRouter(tags=["people"])


class Trail(BaseModel):
    """Whether the tenant's trail is whole. ``head`` is to be kept elsewhere."""

    whole: bool
    head: str
    findings: list[str]


@router.get("/v1/me", responses=problems())
def me(caller: Reader) -> Me:
    """Whose key this is, and what it may do."""
    return Me(**caller._asdict(), rights=sorted(RIGHTS[caller.role]))


@router.get("/v1/keys", responses=problems())
def list_keys(caller: Operator, parts: Shared) -> list[KeyDocument]:
    """All keys of the tenant, the first one first."""
    with parts.database.read() as connection:
        return [KeyDocument.of(found) for found in api_keys.listed(connection, caller.tenant)]


@router.post("/v1/keys", status_code=201, responses=problems(409, 422))
def create_key(wanted: NewKey, caller: Operator, parts: Shared) -> ShownKey:
    """A new key, shown this once."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _shown(api_keys.create(change, wanted.person, wanted.role, _ms(wanted)))


@router.post("/v1/keys/{id_}/rotate", status_code=201, responses=problems(404, 409, 422))
def rotate_key(id_: NamedInPath, wanted: Rotation, caller: Operator, parts: Shared) -> ShownKey:
    """A new key in place of one, which goes on for a while."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return _shown(api_keys.rotate(change, id_, wanted.overlap_s * 1000, _ms(wanted)))


@router.delete("/v1/keys/{id_}", responses=problems(404, 409))
def revoke_key(
    id_: NamedInPath, caller: Operator, parts: Shared, why: Annotated[Words | None, Query()] = None
) -> KeyDocument:
    """End a key at once; every process obeys within two seconds."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return KeyDocument.of(api_keys.revoke(change, id_, why))


@router.get("/v1/settings", responses=problems(404))
def get_settings(response: Response, caller: Reader, parts: Shared) -> SettingsDocument:
    """The tenant's settings; the ETag is what a change names."""
    with parts.database.read() as connection:
        found = tenants.require(connection, caller.tenant)
    tagged(response, found.revision)
    return SettingsDocument.of(found)


@router.put("/v1/settings", responses=problems(404, 412, 422, 428))
def set_settings(
    wanted: NewSettings, response: Response, caller: Operator, parts: Shared, revision: IfMatch
) -> SettingsDocument:
    """New settings; what workers judge by takes its place in the log."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        found = tenants.set_settings(
            change, wanted.settings, one_person=wanted.one_person, revision=revision, signer=parts.signer,
            why=wanted.why,
        )  # fmt: skip
    tagged(response, found.revision)
    return SettingsDocument.of(found)


@router.get("/v1/audit", responses=problems(422))
def read_audit(
    caller: Operator, parts: Shared,
    after: Annotated[int, Query(ge=0, lt=2**31, description="The number of the last row that was read.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[AuditDocument]:  # fmt: skip
    """The tenant's trail, in order."""
    with parts.database.read() as connection:
        return [AuditDocument.of(entry) for entry in audit.entries(connection, caller.tenant, after, limit)]


def last_number(caller: Caller, parts: Parts) -> int:
    """The number of the trail's last row, 0 for none."""
    with parts.database.read() as connection:
        return audit.heads(connection).get(caller.tenant, audit.Head(0, audit.NOTHING)).number


@router.get("/v1/audit/verify", responses=problems())
def verify_audit(caller: Operator, parts: Shared) -> Trail:
    """Whether a row of the tenant's trail was changed, removed or put elsewhere."""
    with parts.database.snapshot() as connection:
        found = audit.verify(connection, tenant=caller.tenant)
        head = audit.heads(connection).get(caller.tenant, audit.Head(0, audit.NOTHING))
    return Trail(whole=not found, head=str(head), findings=[f"row {each.number}: {each.words}" for each in found])


def _shown(made: api_keys.Shown) -> ShownKey:
    return ShownKey(key=made.text, about=KeyDocument.of(made.key))


def _ms(wanted: NewKey | Rotation) -> int | None:
    return None if wanted.expires_at is None else int(wanted.expires_at.timestamp() * 1000)
