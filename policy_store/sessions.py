"""Sessions of people: like keys found by an id and proven by a secret of which a hash is stored.

A session is over when it was ended, has lasted its whole time, was idle for too long, or was begun by a key that has
ended. It may hold several grants (a tenant and a role there); one of them is in force at a time.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, insert, or_, select, update

from policy_store.api_keys import ROLES, Parts, Role, random_text, sha256_text
from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.tables import api_keys, login_codes, session_grants, sessions

PREFIX = "ses-"
KEPT_MS = 30 * 86_400_000
"""For so long one can see that a session was."""
_SECRET_CHARS = 43
_TEXT = re.compile(rf"({PREFIX}[0-9a-f]{{16}})\.([A-Za-z0-9]{{{_SECRET_CHARS}}})", re.ASCII)


class Grant(NamedTuple):
    """What a person may be, and where."""

    tenant: str
    role: Role


class Terms(NamedTuple):
    """How a session came about and how long it lasts. ``key_id``: the key that began it; ``rules``: the SHA-256 of the
    rules by which a provider's person was let in; ``idle_ms``: it is over after so long without use."""

    idle_ms: int
    expires_ms: int
    key_id: str | None = None
    rules: str | None = None
    id_token_sealed: str | None = None


class Session(NamedTuple):
    """A session as it is stored. ``key_ends_ms``: when the key that began it ends, or ended."""

    id: str
    secret_sha256: str
    tenant: str
    person: str
    role: Role
    key_id: str | None
    rules: str | None
    id_token_sealed: str | None
    created_ms: int
    seen_ms: int
    idle_ms: int
    expires_ms: int
    ended_ms: int | None
    ended_by: str | None
    key_ends_ms: int | None = None

    @property
    def over_ms(self) -> int:
        """When it is over, or was, if it is not used any more."""
        ends = (self.seen_ms + self.idle_ms, self.expires_ms, self.ended_ms, self.key_ends_ms)
        return min(each for each in ends if each is not None)

    def is_valid(self, now_ms: int) -> bool:
        """Whether it is not over."""
        return now_ms < self.over_ms


class Begun(NamedTuple):
    """A session and its text, which only the person's browser is told."""

    session: Session
    text: str


def is_id(text: str) -> bool:
    """Whether an id is a session's, and not a key's."""
    return text.startswith(PREFIX)


def parse(text: str) -> Parts | None:
    """The parts of a session's text; None for what cannot be one."""
    found = _TEXT.fullmatch(text)
    return None if found is None else Parts(found[1], found[2])


def begin(change: Change, person: str, grants: Sequence[Grant], terms: Terms) -> Begun:
    """A new session in the change's tenant, in the first of its grants there. What nobody can see any more goes."""
    _forget(change.connection, change.now_ms - KEPT_MS)
    id_, secret = f"{PREFIX}{change.fresh()}", random_text(_SECRET_CHARS)
    active = next(each for each in grants if each.tenant == change.tenant)
    made = Session(
        id_, sha256_text(secret), *_placed(active, person), terms.key_id, terms.rules, terms.id_token_sealed,
        change.now_ms, change.now_ms, terms.idle_ms, terms.expires_ms, None, None,
    )  # fmt: skip
    values = made._asdict()
    del values["key_ends_ms"]
    change.connection.execute(insert(sessions).values(**values))
    change.connection.execute(insert(session_grants), [{"session": id_, **each._asdict()} for each in set(grants)])
    by = f"key {terms.key_id}" if terms.key_id else "provider"
    change.note("login", f"session {id_}", None, {"by": by, "role": active.role, "expires_ms": terms.expires_ms})
    return Begun(made, f"{id_}.{secret}")


def _placed(active: Grant, person: str) -> tuple[str, str, Role]:
    return active.tenant, person, active.role


def switch(change: Change, id_: str, role: Role) -> Begun:
    """Put another of its grants in force, one in the change's tenant. Its secret is a new one from then on.

    Raises NotFound, Refused.
    """
    found = _require_valid(change, id_)
    if Grant(change.tenant, role) not in grants_of(change.connection, id_):
        raise Refused("not_granted", "grant: expected one of the session's")
    secret = random_text(_SECRET_CHARS)
    made = found._replace(tenant=change.tenant, role=role, secret_sha256=sha256_text(secret))
    _set(change.connection, id_, tenant=made.tenant, role=role, secret_sha256=made.secret_sha256)
    before = {"role": found.role} if found.tenant == change.tenant else None
    change.note("switch", f"session {id_}", before, {"role": role})
    return Begun(made, f"{id_}.{secret}")


def end(change: Change, id_: str, why: str | None = None) -> Session:
    """A person signs out. Raises NotFound, Refused."""
    return _ended(change, _require_valid(change, id_), "logout", why)


def revoke(change: Change, id_: str, why: str | None = None) -> Session:
    """End a session of somebody who has a grant in the change's tenant, wherever it is in force. Raises NotFound,
    Refused."""
    if not any(grant.tenant == change.tenant for grant in grants_of(change.connection, id_)):
        raise NotFound(f"session {id_}: there is none of this name")
    return _ended(change, _require_valid(change, id_), "revoke", why)


def revoke_all(change: Change, person: str, why: str | None = None) -> list[Session]:
    """End all sessions of a person who has a grant in the change's tenant."""
    return [
        _ended(change, each, "revoke", why)
        for each in listed(change.connection, change.tenant, valid_ms=change.now_ms, person=person)
    ]


def end_by_provider(change: Change, person: str) -> None:
    """End all sessions that a provider began for a person, in every tenant; the caller notes why."""
    change.connection.execute(
        update(sessions)
        .where(sessions.c.person == person, sessions.c.rules.is_not(None), sessions.c.ended_ms.is_(None))
        .values(ended_ms=change.now_ms, ended_by=change.who, id_token_sealed=None)
    )


def _require_valid(change: Change, id_: str) -> Session:
    found = get(change.connection, id_)
    if found is None:
        raise NotFound(f"session {id_}: there is none of this name")
    if not found.is_valid(change.now_ms):
        raise Refused("session_over", f"session {id_}: it is over already")
    return found


def _ended(change: Change, session: Session, action: str, why: str | None) -> Session:
    _set(change.connection, session.id, ended_ms=change.now_ms, ended_by=change.who, id_token_sealed=None)
    change.note(action, f"session {session.id}", {"person": session.person, "role": session.role}, None, why)
    return session._replace(ended_ms=change.now_ms, ended_by=change.who)


def touch(connection: Connection, id_: str, now_ms: int) -> None:
    """It was used just now."""
    connection.execute(update(sessions).where(sessions.c.id == id_, sessions.c.seen_ms < now_ms).values(seen_ms=now_ms))


def _set(connection: Connection, id_: str, **values: object) -> None:
    connection.execute(update(sessions).where(sessions.c.id == id_).values(**values))


_FOUND = select(
    sessions, api_keys.c.revoked_ms.label("key_revoked_ms"), api_keys.c.expires_ms.label("key_expires_ms")
).select_from(sessions.outerjoin(api_keys, sessions.c.key_id == api_keys.c.id))


def get(connection: Connection, id_: str) -> Session | None:
    """A session by its id, of any tenant."""
    found = _read(connection, _FOUND.where(sessions.c.id == id_))
    return found[0] if found else None


def listed(connection: Connection, tenant: str, *, valid_ms: int, person: str | None = None) -> list[Session]:
    """The sessions, valid at an instant, of all who have a grant in a tenant, the latest one first; of one person, if
    given."""
    granted = select(session_grants.c.session).where(session_grants.c.tenant == tenant)
    wanted = _FOUND.where(sessions.c.id.in_(granted), sessions.c.ended_ms.is_(None), sessions.c.expires_ms > valid_ms)
    if person is not None:
        wanted = wanted.where(sessions.c.person == person)
    found = _read(connection, wanted.order_by(sessions.c.created_ms.desc(), sessions.c.id))
    return [each for each in found if each.is_valid(valid_ms)]


def _read(connection: Connection, wanted: Select[Any]) -> list[Session]:
    return [_session(dict(row)) for row in connection.execute(wanted).mappings()]


def _session(row: dict[str, object]) -> Session:
    ends = [row.pop("key_revoked_ms"), row.pop("key_expires_ms")]
    return Session(**row, key_ends_ms=min((each for each in ends if each is not None), default=None))  # type: ignore[arg-type, type-var]


def grants_of(connection: Connection, id_: str) -> list[Grant]:
    """The grants of a session: by tenant, and the role that may least first."""
    wanted = select(session_grants.c.tenant, session_grants.c.role).where(session_grants.c.session == id_)
    return in_order(Grant(*row) for row in connection.execute(wanted))


def in_order(grants: Iterable[Grant]) -> list[Grant]:
    """By tenant, and the role that may least first."""
    return sorted(grants, key=lambda each: (each.tenant, ROLES.index(each.role)))


def _forget(connection: Connection, before_ms: int) -> None:
    gone = select(sessions.c.id).where(
        or_(sessions.c.expires_ms < before_ms, sessions.c.ended_ms < before_ms)
    ).limit(200)  # fmt: skip
    ids = list(connection.execute(gone).scalars())
    for table in (login_codes, session_grants):
        connection.execute(delete(table).where(table.c.session.in_(ids)))
    connection.execute(delete(sessions).where(sessions.c.id.in_(ids)))
