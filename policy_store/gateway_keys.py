"""Public keys of a tenant's own gateways, and the nonces of what they have signed: each may be used once.

A key is named by its content (``policy_store.signing.key_id``), so a key that was revoked cannot come back under
another name.
"""

from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from policy_store.change import Change
from policy_store.errors import Exists, NotFound, Refused
from policy_store.signing import public_key
from policy_store.tables import gateway_keys, gateway_nonces
from spendgate.reconcile.public_keys import key_id


class GatewayKey(NamedTuple):
    """A key as it is stored. ``public``: base64 of its 32 bytes."""

    tenant: str
    id: str
    name: str
    public: str
    created_by: str
    created_ms: int
    revoked_ms: int | None


def listed(connection: Connection, tenant: str) -> list[GatewayKey]:
    """A tenant's keys, the first one first."""
    wanted = select(gateway_keys).where(gateway_keys.c.tenant == tenant)
    ordered = wanted.order_by(gateway_keys.c.created_ms, gateway_keys.c.id)
    return [GatewayKey(**row) for row in connection.execute(ordered).mappings()]


def add(change: Change, name: str, public: str, why: str | None = None) -> GatewayKey:
    """Register a key. Raises Exists, Refused for what is no Ed25519 key."""
    id_ = key_id(public_key(public, "public"))
    if (known := _get(change.connection, change.tenant, id_)) is not None:
        state = "it was revoked; make a new one" if known.revoked_ms is not None else "it is registered already"
        raise Exists(f"gateway key {id_}: {state}")
    made = GatewayKey(change.tenant, id_, name, public, change.who, change.now_ms, None)
    change.connection.execute(insert(gateway_keys).values(**made._asdict()))
    change.note("create", f"gateway key {id_}", None, {"name": name, "public": public}, why)
    return made


def revoke(change: Change, id_: str, why: str) -> GatewayKey:
    """End a key: nothing that it signs is taken any more. Raises NotFound, Refused."""
    found = _get(change.connection, change.tenant, id_)
    if found is None:
        raise NotFound(f"gateway key {id_}: there is none of this name")
    if found.revoked_ms is not None:
        raise Refused("key_ended", f"gateway key {id_}: it was revoked already")
    at = (gateway_keys.c.tenant == change.tenant, gateway_keys.c.id == id_)
    change.connection.execute(update(gateway_keys).where(*at).values(revoked_ms=change.now_ms))
    change.note("revoke", f"gateway key {id_}", {"name": found.name}, None, why)
    return found._replace(revoked_ms=change.now_ms)


def _get(connection: Connection, tenant: str, id_: str) -> GatewayKey | None:
    return next((each for each in listed(connection, tenant) if each.id == id_), None)


class Nonce(NamedTuple):
    """What makes a signed body one of its kind."""

    tenant: str
    key_id: str
    nonce: str


def claim(connection: Connection, nonce: Nonce, until_ms: int) -> bool:
    """Take a nonce, for every process that shares the database; False if it was taken before."""
    try:
        with connection.begin_nested():
            connection.execute(insert(gateway_nonces).values(**nonce._asdict(), until_ms=until_ms))
    except IntegrityError:
        return False
    return True


def release(connection: Connection, nonce: Nonce) -> None:
    """Give a nonce back: nothing came of the body."""
    held = (gateway_nonces.c[name] == value for name, value in nonce._asdict().items())
    connection.execute(delete(gateway_nonces).where(*held))


def forget(connection: Connection, now_ms: int) -> int:
    """Delete the nonces of bodies that are too old; how many."""
    return connection.execute(delete(gateway_nonces).where(gateway_nonces.c.until_ms <= now_ms)).rowcount
