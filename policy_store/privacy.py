"""A tenant's privacy settings: kept with their revision, and changed by an operator who says why."""

from typing import NamedTuple

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select, update

from policy_store import gateway_keys, tenant_secrets, tenants
from policy_store.change import Change
from policy_store.errors import Refused, Stale, StoreAway
from policy_store.master_keys import MasterKeys
from policy_store.tables import privacy_settings
from spendgate.model.event import PrivacyMode
from spendgate.model.privacy import permits
from spendgate.model.privacy_settings import PrivacySettings


class Privacy(NamedTuple):
    """Settings, and the revision that a change names; 0 as long as nobody has set any."""

    settings: PrivacySettings
    revision: int


def get(connection: Connection, tenant: str) -> Privacy:
    """A tenant's settings; the default ones where it has none. Raises StoreAway for what a newer program has written:
    a guess might be too wide."""
    row = connection.execute(select(privacy_settings).where(privacy_settings.c.tenant == tenant)).one_or_none()
    if row is None:
        return Privacy(PrivacySettings(), 0)
    return Privacy(_read(row.document), row.revision)


def _read(document: str) -> PrivacySettings:
    try:
        return PrivacySettings.model_validate_json(document)
    except ValidationError:
        raise StoreAway("store: these privacy settings are of a newer program; use a newer program") from None


def modes_in_use(connection: Connection) -> set[PrivacyMode]:
    """The modes that the settings of any tenant name."""
    found = map(_read, connection.scalars(select(privacy_settings.c.document)))
    return {mode for each in found for mode in (each.mode, *(scoped.mode for scoped in each.scopes))}


def set_settings(
    change: Change, settings: PrivacySettings, *, revision: int, why: str, master: MasterKeys | None, keeps: bool
) -> Privacy:
    """New settings, with the secret keys that they need. ``keeps``: whether there is a store for content.

    Raises NotFound, Stale, and Refused for what this installation or this tenant is not prepared for.
    """
    tenants.require(change.connection, change.tenant)
    before = get(change.connection, change.tenant)
    if before.revision != revision:
        raise Stale(f"privacy: it has changed since revision {revision}; it is at {before.revision}")
    if settings == before.settings and before.revision:
        return before
    _prepare(change, settings, master, keeps=keeps)
    made = Privacy(settings, revision + 1)
    values = {"document": settings.model_dump_json(exclude_none=True), "revision": made.revision}
    if before.revision:
        at = privacy_settings.c.tenant == change.tenant
        change.connection.execute(update(privacy_settings).where(at).values(**values))
    else:
        change.connection.execute(insert(privacy_settings).values(tenant=change.tenant, **values))
    change.note("privacy", f"tenant {change.tenant}", _said(before.settings), _said(settings), why)
    return made


def _said(settings: PrivacySettings) -> dict[str, object]:
    return settings.model_dump(exclude_none=True)


def _prepare(change: Change, settings: PrivacySettings, master: MasterKeys | None, *, keeps: bool) -> None:
    """See to it that every mode can be obeyed from the first call on."""
    widest = permits(settings.widest)
    if widest.fingerprints:
        if master is None:
            raise Refused(
                "no_master_key", f"{settings.widest}: expected a master key (SPENDGATE_MASTER_KEY_FILE of the door)"
            )
        tenant_secrets.ensure(change, master, "fingerprint")
        if widest.redacted:
            if not keeps:
                raise Refused(
                    "no_content_store", f"{settings.widest}: expected a store for content (SPENDGATE_CONTENT_STORE)"
                )
            tenant_secrets.ensure(change, master, "content")
    if any(not permits(mode).unsigned for mode in (settings.mode, *(each.mode for each in settings.scopes))):
        known = gateway_keys.listed(change.connection, change.tenant)
        if all(each.revoked_ms is not None for each in known):
            raise Refused("no_gateway_key", "private_gateway: expected a gateway's key first, or nobody could send")
