"""Secret keys of a tenant, sealed: what fingerprints are made with, and what kept content is encrypted with.

Of each purpose one is current; a rotation retires it and makes the next. A retired key still opens, or tells, what was
made with it, until it is destroyed: then nobody can any more, from a backup of other stores either.
"""

import secrets
from typing import Literal, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.master_keys import KEY_BYTES, MasterKeys
from policy_store.tables import tenant_secrets

Purpose = Literal["fingerprint", "content"]
_PREFIX: dict[Purpose, str] = {"fingerprint": "fp", "content": "ck"}


class TenantSecret(NamedTuple):
    """A key as it is stored. ``retired_ms``: since when another one is current."""

    tenant: str
    id: str
    purpose: Purpose
    sealed: str
    created_by: str
    created_ms: int
    retired_ms: int | None

    @property
    def bound_to(self) -> str:
        """What it is sealed for."""
        return f"{self.purpose} {self.tenant} {self.id}"


def listed(connection: Connection, tenant: str) -> list[TenantSecret]:
    """A tenant's keys, the newest first."""
    wanted = select(tenant_secrets).where(tenant_secrets.c.tenant == tenant)
    ordered = wanted.order_by(tenant_secrets.c.created_ms.desc(), tenant_secrets.c.id)
    return [TenantSecret(**row) for row in connection.execute(ordered).mappings()]


def current(connection: Connection, tenant: str, purpose: Purpose) -> TenantSecret | None:
    """The one that is used now."""
    return next((e for e in listed(connection, tenant) if e.purpose == purpose and e.retired_ms is None), None)


def ensure(change: Change, master: MasterKeys, purpose: Purpose) -> TenantSecret:
    """The current key, made if there is none."""
    return current(change.connection, change.tenant, purpose) or _make(change, master, purpose)


def rotate(change: Change, master: MasterKeys, purpose: Purpose, why: str | None = None) -> TenantSecret:
    """A new key in place of the current one. Raises Refused where there is none to replace."""
    old = current(change.connection, change.tenant, purpose)
    if old is None:
        raise Refused("no_secret", f"{purpose} key: there is none yet; a privacy mode that needs one makes it")
    at = tenant_secrets.c.id == old.id
    change.connection.execute(update(tenant_secrets).where(at).values(retired_ms=change.now_ms))
    change.note("retire", f"{purpose} key {old.id}", None, None, why)
    return _make(change, master, purpose)


def destroy(change: Change, id_: str, why: str) -> TenantSecret:
    """End a retired key of fingerprints for good. Raises NotFound, Refused."""
    found = next((each for each in listed(change.connection, change.tenant) if each.id == id_), None)
    if found is None:
        raise NotFound(f"key {id_}: there is none of this name")
    if found.retired_ms is None:
        raise Refused("key_in_use", f"key {id_}: expected one that is retired; rotate first")
    if found.purpose != "fingerprint":
        raise Refused("key_in_use", f"key {id_}: kept content needs it; erase the content")
    change.connection.execute(delete(tenant_secrets).where(tenant_secrets.c.id == id_))
    change.note("destroy", f"{found.purpose} key {id_}", None, None, why)
    return found


def destroy_all(change: Change, purpose: Purpose) -> list[str]:
    """End all keys of a purpose; their ids."""
    found = [each.id for each in listed(change.connection, change.tenant) if each.purpose == purpose]
    change.connection.execute(delete(tenant_secrets).where(tenant_secrets.c.id.in_(found)))
    return found


def reseal(connection: Connection, master: MasterKeys) -> int:
    """Seal everything under the first master key; how many were not. Raises Refused."""
    found = [TenantSecret(**row) for row in connection.execute(select(tenant_secrets)).mappings()]
    old = [each for each in found if not master.is_current(each.sealed)]
    for each in old:
        sealed = master.seal(master.open(each.sealed, each.bound_to), each.bound_to)
        connection.execute(update(tenant_secrets).where(tenant_secrets.c.id == each.id).values(sealed=sealed))
    return len(old)


def _make(change: Change, master: MasterKeys, purpose: Purpose) -> TenantSecret:
    id_ = f"{_PREFIX[purpose]}-{change.fresh()}"
    made = TenantSecret(change.tenant, id_, purpose, "", change.who, change.now_ms, None)
    made = made._replace(sealed=master.seal(secrets.token_bytes(KEY_BYTES), made.bound_to))
    change.connection.execute(insert(tenant_secrets).values(**made._asdict()))
    change.note("create", f"{purpose} key {id_}", None, None)
    return made
