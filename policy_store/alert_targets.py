"""Where a tenant's alerts go: webhooks, and channels in Slack's format.

An address is itself a secret (whoever has Slack's may post there), so address and signing secret are sealed in the
database; only the origin, scheme and host, is told again.
"""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, func, insert, select, update

from policy_store.change import Change
from policy_store.errors import Exists, NotFound, Refused, Stale
from policy_store.sealing import Sealer, Unopened
from policy_store.signing import Signer
from policy_store.tables import alert_deliveries, alert_targets
from spendgate.model.alert import AlertKind
from spendgate.model.policy_globs import matches_any

TargetKind = Literal["webhook", "slack"]
MOST = 50
"""Targets of a tenant."""
REMOVED = "the target was removed"
SECRET_PREFIX, _SECRET_BYTES = "whsec_", 32


class Target(NamedTuple):
    """A target as it is stored. ``policies``: globs, ``kinds``: kinds of alerts, parted by spaces; none means all.
    ``from_percent``: the least threshold that it wants. ``failures``: attempts in a row that it did not answer, which
    hold off the next ones until ``paused_until_ms``."""

    id: str
    tenant: str
    name: str
    kind: TargetKind
    origin: str
    url_sealed: str
    secret_sealed: str | None
    previous_sealed: str | None
    previous_until_ms: int | None
    policies: str
    kinds: str
    from_percent: int
    enabled: bool
    revision: int
    failures: int
    paused_until_ms: int | None
    created_ms: int
    created_by: str


@dataclass(frozen=True)
class Shown:
    """A target, and the signing secret that has just been made for it; nobody can be told it again."""

    target: Target
    secret: str | None


def sealer_of(signer: Signer) -> Sealer:
    """What seals and opens addresses and secrets, for whoever has the store's private key."""
    return Sealer(signer, "alert targets")


def wants(target: Target, policy: str, kind: AlertKind, percent: int | None) -> bool:
    """Whether an alert is for this target."""
    return (
        target.enabled
        and (not target.policies or matches_any(target.policies.split(), policy))
        and (not target.kinds or kind in target.kinds.split())
        and (percent is None or percent >= target.from_percent)
    )


def create(
    change: Change, sealer: Sealer, name: str, kind: TargetKind, url: str, *, policies: Sequence[str] = (),
    kinds: Sequence[AlertKind] = (), from_percent: int = 1,
) -> Shown:  # fmt: skip
    """A new target of the change's tenant. Raises Exists, Refused."""
    if _found(change.connection, change.tenant, name) is not None:
        raise Exists(f"target {name}: expected a name that is not taken")
    if (change.connection.scalar(_count(change.tenant)) or 0) >= MOST:
        raise Refused("too_many", f"targets: expected at most {MOST} of them")
    id_, secret = f"tgt-{change.fresh()}", _new_secret() if kind == "webhook" else None
    made = Target(
        id_, change.tenant, name, kind, origin_of(url), sealer.seal(url, _url_of(id_)), _sealed(sealer, id_, secret),
        None, None, " ".join(policies), " ".join(kinds), from_percent, True, 1, 0, None, change.now_ms, change.who,
    )  # fmt: skip
    change.connection.execute(insert(alert_targets).values(**made._asdict()))
    change.note("create", _subject(name), None, _said(made))
    return Shown(made, secret)


def edit(
    change: Change, sealer: Sealer, name: str, revision: int, *, url: str | None = None,
    policies: Sequence[str] | None = None, kinds: Sequence[AlertKind] | None = None, from_percent: int | None = None,
    enabled: bool | None = None,
) -> Target:  # fmt: skip
    """Change what is given, and leave the rest. Raises NotFound, Stale."""
    found = require_at(change.connection, change.tenant, name, revision)
    values: dict[str, Any] = {"from_percent": from_percent, "enabled": enabled}
    values |= {"policies": None if policies is None else " ".join(policies)}
    values |= {"kinds": None if kinds is None else " ".join(kinds)}
    if url is not None:
        values |= {"origin": origin_of(url), "url_sealed": sealer.seal(url, _url_of(found.id))}
    given = {column: value for column, value in values.items() if value is not None}
    return _put(change, found, "edit", **given, failures=0, paused_until_ms=None)


def rotate(change: Change, sealer: Sealer, name: str, revision: int, overlap_ms: int) -> Shown:
    """A new secret; for ``overlap_ms`` messages are signed with the old one too. Raises NotFound, Stale, Refused."""
    found = require_at(change.connection, change.tenant, name, revision)
    if found.kind != "webhook":
        raise Refused("no_secret", f"target {name}: expected a webhook; only its messages are signed")
    secret = _new_secret()
    made = _put(
        change, found, "rotate", secret_sealed=_sealed(sealer, found.id, secret), previous_sealed=found.secret_sealed,
        previous_until_ms=change.now_ms + overlap_ms,
    )  # fmt: skip
    return Shown(made, secret)


def reseal(change: Change, old: Sealer, new: Sealer) -> int:
    """Seal under ``new`` what ``old`` has sealed of the change's tenant; how many targets were not yet. Raises Refused
    for one that neither opens, and changes nothing."""
    found = [each for each in listed(change.connection, change.tenant) if not _opens(each, new)]
    for each in found:
        try:
            sealed = {
                "url_sealed": new.seal(url_of(each, old), _url_of(each.id)),
                "secret_sealed": _moved(each.id, each.secret_sealed, old, new),
                "previous_sealed": _moved(each.id, each.previous_sealed, old, new),
            }
        except Unopened:
            words = f"target {each.name}: expected the key that it was sealed by"
            raise Refused("bad_key", words) from None
        _put(change, each, "reseal", **sealed, failures=0, paused_until_ms=None)
    return len(found)


def _opens(target: Target, sealer: Sealer) -> bool:
    try:
        url_of(target, sealer)
    except Unopened:
        return False
    return True


def _moved(id_: str, sealed: str | None, old: Sealer, new: Sealer) -> str | None:
    return None if sealed is None else _sealed(new, id_, old.open(sealed, _secret_of(id_)))


def switch_off(change: Change, id_: str, why: str) -> None:
    """Send nothing to a target any more, which has said that it is gone for good."""
    row = change.connection.execute(select(alert_targets).where(alert_targets.c.id == id_)).mappings().one_or_none()
    if row is not None and row["enabled"]:
        _put(change, Target(**row), "disable", why, enabled=False)


def remove(change: Change, name: str, revision: int) -> Target:
    """Forget a target; what waits for it is not sent any more. Raises NotFound, Stale."""
    found = require_at(change.connection, change.tenant, name, revision)
    change.connection.execute(delete(alert_targets).where(alert_targets.c.id == found.id))
    change.connection.execute(
        update(alert_deliveries)
        .where(alert_deliveries.c.target == found.id, alert_deliveries.c.state == "waiting")
        .values(state="dead", next_ms=None, holder=None, until_ms=None, ended_ms=change.now_ms, problem=REMOVED)
    )
    change.note("remove", _subject(name), _said(found), None)
    return found


def require(connection: Connection, tenant: str, name: str) -> Target:
    """A target of the tenant. Raises NotFound."""
    found = _found(connection, tenant, name)
    if found is None:
        raise NotFound(f"target {name}: there is none of this name")
    return found


def require_at(connection: Connection, tenant: str, name: str, revision: int) -> Target:
    """A target of the tenant, at the revision that the caller has read. Raises NotFound, Stale."""
    found = require(connection, tenant, name)
    if found.revision != revision:
        raise Stale(f"target {name}: it has changed since revision {revision}; it is at {found.revision}")
    return found


def listed(connection: Connection, tenant: str) -> list[Target]:
    """A tenant's targets, by name."""
    wanted = select(alert_targets).where(alert_targets.c.tenant == tenant).order_by(alert_targets.c.name)
    return [Target(**row) for row in connection.execute(wanted).mappings()]


def url_of(target: Target, sealer: Sealer) -> str:
    """Its whole address. Raises Unopened."""
    return sealer.open(target.url_sealed, _url_of(target.id))


def secrets_of(target: Target, sealer: Sealer, now_ms: int) -> list[str]:
    """What its messages are signed with, the newest first. Raises Unopened."""
    sealed = [target.secret_sealed]
    if target.previous_until_ms is not None and now_ms < target.previous_until_ms:
        sealed.append(target.previous_sealed)
    return [sealer.open(each, _secret_of(target.id)) for each in sealed if each is not None]


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _put(change: Change, target: Target, action: str, why: str | None = None, **values: Any) -> Target:
    made = target._replace(revision=target.revision + 1, **values)
    at = (alert_targets.c.id == target.id, alert_targets.c.revision == target.revision)
    if not change.connection.execute(
        update(alert_targets).where(*at).values(**values, revision=made.revision)
    ).rowcount:
        raise Stale(f"target {target.name}: it has changed meanwhile")
    change.note(action, _subject(target.name), _said(target), _said(made), why)
    return made


def _found(connection: Connection, tenant: str, name: str) -> Target | None:
    wanted = select(alert_targets).where(alert_targets.c.tenant == tenant, alert_targets.c.name == name)
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else Target(**row)


def _count(tenant: str) -> Any:
    return select(func.count()).select_from(alert_targets).where(alert_targets.c.tenant == tenant)


def _said(target: Target) -> dict[str, Any]:
    names = ("kind", "origin", "policies", "kinds", "from_percent", "enabled", "previous_until_ms")
    return {name: getattr(target, name) for name in names}


def _subject(name: str) -> str:
    return f"alert target {name}"


def _new_secret() -> str:
    return SECRET_PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def _sealed(sealer: Sealer, id_: str, secret: str | None) -> str | None:
    return None if secret is None else sealer.seal(secret, _secret_of(id_))


def _url_of(id_: str) -> str:
    return f"url of {id_}"


def _secret_of(id_: str) -> str:
    return f"secret of {id_}"
