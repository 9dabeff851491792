"""The audit trail: append only, a chain of hashes for each tenant. Who, what, before, after, why.

Each row's hash covers the row and the hash of the row before it, and the head is kept apart: a row that was changed,
removed or put elsewhere is found. Whoever can rewrite the whole database can rewrite the chain, so the head is to be
kept elsewhere now and then: ``verify`` takes what was kept.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from policy_store.tables import audit, audit_heads

NOTHING = "0" * 64
"""The hash before the first row."""
SYSTEM = "(store)"
"""Whose chain holds what belongs to no tenant."""
_BEFORE_ALL = -(2**31)
"""Lower than any number that a row could be given."""
_COLUMNS = ("tenant", "number", "at_ms", "who", "action", "subject", "before", "after", "why", "previous")


class Head(NamedTuple):
    """The last row of a chain."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


class Entry(NamedTuple):
    """One row. ``before`` and ``after`` are JSON objects of what changed, None where there was nothing."""

    tenant: str
    number: int
    at_ms: int
    who: str
    action: str
    subject: str
    before: str | None
    after: str | None
    why: str | None
    previous: str
    hash: str


class Finding(NamedTuple):
    """What is wrong with a chain, and at which row."""

    tenant: str
    number: int
    words: str


def lock(connection: Connection, tenant: str) -> Head:
    """The head of a tenant's chain, for nobody else to write until the transaction ends.

    Every change of a tenant begins here, so the changes of one tenant come one after the other.
    """
    wanted = select(audit_heads.c.number, audit_heads.c.hash).where(audit_heads.c.tenant == tenant).with_for_update()
    row = connection.execute(wanted).one_or_none()
    if row is None:
        _make(connection, tenant)
        row = connection.execute(wanted).one()
    return Head(row.number, row.hash)


def _make(connection: Connection, tenant: str) -> None:
    try:
        with connection.begin_nested():
            connection.execute(insert(audit_heads).values(tenant=tenant, number=0, hash=NOTHING))
    except IntegrityError:
        pass  # another one has just made it; it is waited for


def append(
    connection: Connection, head: Head, *, tenant: str, at_ms: int, who: str, action: str, subject: str,
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, why: str | None,
) -> Head:  # fmt: skip
    """Add a row after ``head``, which ``lock`` gave; the new head."""
    values = {
        "tenant": tenant, "number": head.number + 1, "at_ms": at_ms, "who": who, "action": action,
        "subject": subject, "before": _text(before), "after": _text(after), "why": why, "previous": head.hash,
    }  # fmt: skip
    hash_ = _hash(values)
    connection.execute(insert(audit).values(**values, hash=hash_))
    connection.execute(
        update(audit_heads).where(audit_heads.c.tenant == tenant).values(number=head.number + 1, hash=hash_)
    )
    return Head(head.number + 1, hash_)


def _text(change: Mapping[str, Any] | None) -> str | None:
    return None if change is None else json.dumps(change, sort_keys=True, ensure_ascii=False)


def _hash(values: Mapping[str, Any]) -> str:
    named = [values[name] for name in _COLUMNS]
    return sha256(json.dumps(named, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def entries(connection: Connection, tenant: str, after: int = 0, most: int = 1000) -> list[Entry]:
    """Rows of a chain in order, from number ``after`` + 1 on."""
    wanted = select(audit).where(audit.c.tenant == tenant, audit.c.number > after).order_by(audit.c.number).limit(most)
    return [Entry(**row) for row in connection.execute(wanted).mappings()]


def heads(connection: Connection) -> dict[str, Head]:
    """The head of every chain, by tenant."""
    return {row.tenant: Head(row.number, row.hash) for row in connection.execute(select(audit_heads))}


def verify(connection: Connection, kept: Mapping[str, Head] | None = None, tenant: str | None = None) -> list[Finding]:
    """What is wrong with the chains, or with one tenant's; nothing if all is well. ``kept``: heads as they once were,
    by tenant. In a ``Database.snapshot``: else what is added meanwhile is taken for an intrusion."""
    known = heads(connection)
    with_rows = connection.scalars(select(audit.c.tenant).distinct())
    wanted = {*known, *(kept or {}), *with_rows} if tenant is None else {tenant}
    return [
        finding
        for each in sorted(wanted)
        for finding in _verify(each, _chain(connection, each), known.get(each), (kept or {}).get(each))
    ]


def _chain(connection: Connection, tenant: str) -> Iterator[Entry]:
    """All rows of a chain in order, a page at a time: a trail may be longer than memory."""
    page = entries(connection, tenant, _BEFORE_ALL)
    while page:
        yield from page
        page = entries(connection, tenant, page[-1].number)


def _verify(tenant: str, chain: Iterable[Entry], head: Head | None, kept: Head | None) -> Iterator[Finding]:
    previous, number, is_kept = NOTHING, 0, kept is None or not kept.number
    for entry in chain:
        number += 1
        if entry.number != number:
            yield Finding(tenant, number, "removed: expected a row of this number")
            number = entry.number
        if entry.hash != _hash(entry._asdict()):
            yield Finding(tenant, entry.number, "changed: expected the content that its hash was made of")
        elif entry.previous != previous:
            yield Finding(tenant, entry.number, "removed or put elsewhere: expected the row that it followed")
        previous, is_kept = entry.hash, is_kept or (entry.number, entry.hash) == kept
    if head is None or head != Head(number, previous):
        yield Finding(tenant, number, "removed at the end, or added behind the trail's back: expected the kept head")
    if kept is not None and not is_kept:
        yield Finding(tenant, kept.number, "rewritten: expected the head that was kept elsewhere")
