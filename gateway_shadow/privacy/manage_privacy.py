"""A tenant's privacy over HTTP: its modes, its secret keys, and the keys of its own gateways."""

from fastapi import APIRouter, Response

from gateway_shadow.auth import Operator, Reader
from gateway_shadow.documents import NamedInPath
from gateway_shadow.openapi import problems
from gateway_shadow.parts import Parts, Shared
from gateway_shadow.privacy.documents import (
    GatewayKeyDocument,
    NewGatewayKey,
    NewPrivacy,
    PrivacyDocument,
    Reason,
    SecretDocument,
    SecretRotation,
)
from gateway_shadow.revisions import IfMatch, tagged
from policy_store import gateway_keys, privacy, tenant_secrets
from policy_store.errors import Refused
from policy_store.master_keys import MasterKeys
from policy_store.privacy import Privacy

router = APIRouter(tags=["privacy"])


@router.get("/v1/privacy", responses=problems(), response_model_exclude_none=True)
def get_privacy(response: Response, caller: Reader, parts: Shared) -> PrivacyDocument:
    """The tenant's privacy settings; the ETag is what a change names."""
    with parts.database.read() as connection:
        found = privacy.get(connection, caller.tenant)
    return _told(response, parts, caller.tenant, found)


@router.put("/v1/privacy", responses=problems(404, 409, 412, 422, 428), response_model_exclude_none=True)
def set_privacy(
    wanted: NewPrivacy, response: Response, caller: Operator, parts: Shared, revision: IfMatch
) -> PrivacyDocument:
    """New privacy settings; every process obeys within two seconds."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        found = privacy.set_settings(
            change, wanted.settings, revision=revision, why=wanted.why, master=parts.privacy.master,
            keeps=parts.privacy.contents is not None,
        )  # fmt: skip
    return _told(response, parts, caller.tenant, found)


@router.get("/v1/privacy/keys", responses=problems())
def list_secrets(caller: Reader, parts: Shared) -> list[SecretDocument]:
    """The tenant's secret keys by name, the newest first."""
    with parts.database.read() as connection:
        return [SecretDocument.of(found) for found in tenant_secrets.listed(connection, caller.tenant)]


@router.post("/v1/privacy/keys/rotate", status_code=201, responses=problems(409, 422))
def rotate_secret(wanted: SecretRotation, caller: Operator, parts: Shared) -> SecretDocument:
    """A new secret key in place of the current one, which still opens, and compares, what was made with it."""
    master = _master(parts)
    with parts.changes.of(caller.tenant, caller.person) as change:
        return SecretDocument.of(tenant_secrets.rotate(change, master, wanted.purpose, wanted.why))


@router.post("/v1/privacy/keys/{id_}/destroy", responses=problems(404, 409, 422))
def destroy_secret(id_: NamedInPath, said: Reason, caller: Operator, parts: Shared) -> SecretDocument:
    """End a retired key of fingerprints: nobody can compare with what was made with it any more."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return SecretDocument.of(tenant_secrets.destroy(change, id_, said.why))


@router.get("/v1/privacy/gateways", responses=problems())
def list_gateway_keys(caller: Reader, parts: Shared) -> list[GatewayKeyDocument]:
    """Public keys of the tenant's gateways, the first one first."""
    with parts.database.read() as connection:
        return [GatewayKeyDocument.of(found) for found in gateway_keys.listed(connection, caller.tenant)]


@router.post("/v1/privacy/gateways", status_code=201, responses=problems(409, 422))
def add_gateway_key(wanted: NewGatewayKey, caller: Operator, parts: Shared) -> GatewayKeyDocument:
    """Register a gateway's public key: what it signs is the tenant's."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return GatewayKeyDocument.of(gateway_keys.add(change, wanted.name, wanted.public, wanted.why))


@router.post("/v1/privacy/gateways/{id_}/revoke", responses=problems(404, 409, 422))
def revoke_gateway_key(id_: NamedInPath, said: Reason, caller: Operator, parts: Shared) -> GatewayKeyDocument:
    """End a gateway's key; every process obeys within two seconds."""
    with parts.changes.of(caller.tenant, caller.person) as change:
        return GatewayKeyDocument.of(gateway_keys.revoke(change, id_, said.why))


def _told(response: Response, parts: Parts, tenant: str, found: Privacy) -> PrivacyDocument:
    tagged(response, found.revision)
    most = parts.privacy.desk.read(tenant).resolver.most
    return PrivacyDocument.of(tenant, found, most, finds_names=parts.privacy.finds_names)


def _master(parts: Parts) -> MasterKeys:
    if parts.privacy.master is None:
        raise Refused("no_master_key", "secret keys: expected a master key (SPENDGATE_MASTER_KEY_FILE of the door)")
    return parts.privacy.master
