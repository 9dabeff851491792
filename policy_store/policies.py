"""Policies and their versions. A version's content is never changed; an edit makes a new one, and voids nothing that
runs."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping, Select, and_, func, insert, select, update

from policy_store.change import Change
from policy_store.errors import Exists, NotFound, Stale
from policy_store.lifecycle import VersionState
from policy_store.tables import policies, versions
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.policy import Policy


class Version(NamedTuple):
    """One content of a policy. ``source``: as it was written; ``document``: its canonical form. ``number``: the latest
    has the highest; a content that is the latest again has the next."""

    tenant: str
    policy: str
    hash: str
    number: int
    document: bytes
    source: str
    author: str
    created_ms: int
    state: VersionState


class Listed(NamedTuple):
    """A policy and its latest version. ``revision`` goes up with every edit."""

    name: str
    revision: int
    latest: Version


def create(change: Change, policy: Policy, source: str) -> Listed:
    """A new policy with its first version, a draft. Raises Exists."""
    name = policy.metadata.name
    if _revision(change.connection, change.tenant, name) is not None:
        raise Exists(f"policy {name}: expected a name that is not taken; edit it instead")
    change.connection.execute(
        insert(policies).values(
            tenant=change.tenant, name=name, revision=1, created_ms=change.now_ms, created_by=change.who
        )
    )
    made = _add(change, policy, source, 1)
    change.note("edit", f"policy {name}", None, {"hash": made.hash, "number": 1})
    return Listed(name, 1, made)


def edit(change: Change, policy: Policy, source: str, revision: int) -> Listed:
    """A new version, a draft; a content that was there before is that version, and the latest again. Raises NotFound,
    Stale."""
    name = policy.metadata.name
    found = require(change.connection, change.tenant, name)
    if found.revision != revision:
        raise Stale(f"policy {name}: it has changed since revision {revision}; it is at {found.revision}")
    known = version(change.connection, change.tenant, name, policy_hash(policy))
    if known == found.latest:
        return found
    change.connection.execute(
        update(policies)
        .where(policies.c.tenant == change.tenant, policies.c.name == name)
        .values(revision=revision + 1)
    )
    number = found.latest.number + 1
    made = _again(change, known, number) if known else _add(change, policy, source, number)
    before = {"hash": found.latest.hash, "number": found.latest.number}
    change.note("edit", f"policy {name}", before, {"hash": made.hash, "number": number})
    return Listed(name, revision + 1, made)


def _again(change: Change, known: Version, number: int) -> Version:
    at = (versions.c.tenant == known.tenant, versions.c.policy == known.policy, versions.c.hash == known.hash)
    change.connection.execute(update(versions).where(*at).values(number=number))
    return known._replace(number=number)


def _add(change: Change, policy: Policy, source: str, number: int) -> Version:
    made = Version(
        change.tenant, policy.metadata.name, policy_hash(policy), number, canonical_bytes(policy), source, change.who,
        change.now_ms, "draft",
    )  # fmt: skip
    change.connection.execute(insert(versions).values(**made._asdict()))
    return made


def require(connection: Connection, tenant: str, name: str) -> Listed:
    """A policy of this name. Raises NotFound."""
    revision = _revision(connection, tenant, name)
    if revision is None:
        raise NotFound(f"policy {name}: there is none of this name")
    latest = _versions_of(tenant, name).order_by(versions.c.number.desc()).limit(1)
    return Listed(name, revision, Version(**connection.execute(latest).mappings().one()))


def listed(connection: Connection, tenant: str) -> list[Listed]:
    """All policies of a tenant, by name."""
    latest = select(versions.c.policy, func.max(versions.c.number).label("number")).where(versions.c.tenant == tenant)
    newest = latest.group_by(versions.c.policy).subquery()
    wanted = (
        select(policies.c.revision, versions)
        .join(versions, and_(versions.c.tenant == policies.c.tenant, versions.c.policy == policies.c.name))
        .join(newest, and_(newest.c.policy == versions.c.policy, newest.c.number == versions.c.number))
        .where(policies.c.tenant == tenant)
        .order_by(policies.c.name)
    )
    return [_listed(row) for row in connection.execute(wanted).mappings()]


def _listed(row: RowMapping) -> Listed:
    latest = Version(**{name: row[name] for name in Version._fields})
    return Listed(latest.policy, row["revision"], latest)


def history(connection: Connection, tenant: str, name: str) -> list[Version]:
    """The versions of a policy, the first one first."""
    wanted = _versions_of(tenant, name).order_by(versions.c.number)
    return [Version(**row) for row in connection.execute(wanted).mappings()]


def _versions_of(tenant: str, name: str) -> Select[Any]:
    return select(versions).where(versions.c.tenant == tenant, versions.c.policy == name)


def version(connection: Connection, tenant: str, name: str, hash_: str) -> Version | None:
    """The version of this content."""
    wanted = _versions_of(tenant, name).where(versions.c.hash == hash_)
    row = connection.execute(wanted).mappings().one_or_none()
    return None if row is None else Version(**row)


def require_version(connection: Connection, tenant: str, name: str, hash_: str) -> Version:
    """The version of this content, by its whole hash or the first eight digits or more. Raises NotFound."""
    if (whole := version(connection, tenant, name, hash_)) is not None:
        return whole
    found = [each for each in history(connection, tenant, name) if len(hash_) >= 8 and each.hash.startswith(hash_)]
    if len(found) != 1:
        raise NotFound(f"policy {name}: expected the hash of one of its versions, or its first digits")
    return found[0]


def by_hashes(connection: Connection, tenant: str, hashes: Iterable[str]) -> dict[str, bytes]:
    """The canonical documents of a tenant's versions, by hash; those that the store does not have are left out."""
    wanted = select(versions.c.hash, versions.c.document).where(
        versions.c.tenant == tenant, versions.c.hash.in_(list(hashes))
    )
    return {row.hash: row.document for row in connection.execute(wanted)}


def set_state(change: Change, of: Version, state: VersionState) -> None:
    """Note how far a version has come."""
    change.connection.execute(
        update(versions)
        .where(versions.c.tenant == of.tenant, versions.c.policy == of.policy, versions.c.hash == of.hash)
        .values(state=state)
    )


def _revision(connection: Connection, tenant: str, name: str) -> int | None:
    wanted = select(policies.c.revision).where(policies.c.tenant == tenant, policies.c.name == name)
    return connection.scalar(wanted)
