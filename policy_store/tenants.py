"""Tenants and their settings."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from policy_store.change import Change
from policy_store.errors import Exists, NotFound, Stale
from policy_store.outbox import activate
from policy_store.signing import Signer
from policy_store.tables import tenants
from spendgate.model.activation import SettingsChange
from spendgate.model.settings import Settings


class Tenant(NamedTuple):
    """``one_person``: an author may approve what they wrote, and that shows; ``settings``: what workers judge by."""

    name: str
    created_ms: int
    one_person: bool
    settings: Settings
    revision: int


def create(change: Change, *, one_person: bool = False) -> Tenant:
    """The tenant of the change. Raises Exists."""
    if get(change.connection, change.tenant) is not None:
        raise Exists(f"tenant {change.tenant}: expected one that is not there yet")
    made = Tenant(change.tenant, change.now_ms, one_person, Settings(), 1)
    change.connection.execute(insert(tenants).values(**made._replace(settings=_text(made.settings))._asdict()))
    change.note("create", f"tenant {made.name}", None, {"one_person": one_person})
    return made


def get(connection: Connection, name: str) -> Tenant | None:
    """A tenant by name."""
    row = connection.execute(select(tenants).where(tenants.c.name == name)).one_or_none()
    if row is None:
        return None
    return Tenant(row.name, row.created_ms, row.one_person, Settings.model_validate_json(row.settings), row.revision)


def require(connection: Connection, name: str) -> Tenant:
    """A tenant by name. Raises NotFound."""
    found = get(connection, name)
    if found is None:
        raise NotFound(f"tenant {name}: there is none of this name")
    return found


def names(connection: Connection) -> list[str]:
    """All tenants, by name."""
    return list(connection.scalars(select(tenants.c.name).order_by(tenants.c.name)))


def set_settings(
    change: Change, settings: Settings, *, one_person: bool, revision: int, signer: Signer, why: str | None = None
) -> Tenant:
    """New settings; what workers judge by goes onto the log. Raises NotFound, Stale."""
    before = require(change.connection, change.tenant)
    if before.revision != revision:
        raise Stale(f"settings: they have changed since revision {revision}; they are at {before.revision}")
    made = before._replace(settings=settings, one_person=one_person, revision=revision + 1)
    if made[:-1] == before[:-1]:
        return before
    change.connection.execute(
        update(tenants)
        .where(tenants.c.name == change.tenant)
        .values(settings=_text(settings), one_person=one_person, revision=made.revision)
    )
    change.note("settings", f"tenant {change.tenant}", _said(before), _said(made), why)
    if changed := _changed(before.settings, settings):
        activate(change, signer, action="settings", settings=SettingsChange(**changed))
    return made


def _changed(before: Settings, after: Settings) -> dict[str, Any]:
    known = before.model_dump()
    return {name: value for name, value in after.model_dump().items() if known[name] != value}


def _said(tenant: Tenant) -> dict[str, Any]:
    return {"one_person": tenant.one_person, **tenant.settings.model_dump()}


def _text(settings: Settings) -> Any:
    return settings.model_dump_json()
