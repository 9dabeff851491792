"""Simulations as jobs: asked for, read, cancelled, kept for a while. How one is taken and ended: ``job_queue``.

A job keeps all that it was made of: the policy's canonical form, its options, the version of the ledger. Run
again from these it gives the same bytes, whatever was recorded meanwhile.
"""

import zlib
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from policy_store.change import Change
from policy_store.errors import NotFound, Refused
from policy_store.tables import jobs
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.policy import Policy

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")

KEPT = {True: 200, False: 20}
"""How many ended jobs of a tenant are kept: of stored versions, and of drafts that nobody stored."""
MOST_QUEUED = 50
WHOLE = "{}"
"""The options of a simulation over the whole history as it was recorded; only such a one is evidence for staging."""


class Job(NamedTuple):
    """A simulation as a job. ``is_stored``: of a stored version, else of a document that came along; ``options``: JSON;
    ``until_ms``: its holder has said so long that it runs; ``tries``: how often it was begun; ``rows_total``: None
    where it is not known before; ``ledger_version``: of its events, known once it runs; ``facts``: JSON, what the
    report says of its history; ``simulation``: the id under which it was recorded as evidence."""

    number: int
    id: str
    tenant: str
    policy: str
    hash: str
    document: bytes
    is_stored: bool
    options: str
    state: JobState
    holder: str | None
    until_ms: int | None
    tries: int
    rows_done: int
    rows_total: int | None
    created_by: str
    created_ms: int
    started_ms: int | None
    ended_ms: int | None
    ended_by: str | None
    problem: str | None
    ledger_version: int | None
    engine_version: str | None
    report_sha256: str | None
    facts: str | None
    simulation: str | None

    @property
    def counts(self) -> bool:
        """Whether it is recorded as evidence once it is done."""
        return self.is_stored and self.options == WHOLE


_COLUMNS = [jobs.c[name] for name in Job._fields]


def start(change: Change, policy: Policy, options: str = WHOLE, *, is_stored: bool) -> Job:
    """A new job, which waits. Raises Refused where too many of the tenant wait already.

    ``options``: JSON without what is as it would be anyway, so that ``WHOLE`` is told from all others.
    """
    waiting = _count(change.connection, change.tenant, is_stored=is_stored)
    if waiting >= MOST_QUEUED:
        raise Refused("too_many_jobs", f"simulations: expected at most {MOST_QUEUED} that wait; cancel some, or wait")
    made = {
        "id": f"job-{change.fresh()}", "tenant": change.tenant, "policy": policy.metadata.name,
        "hash": policy_hash(policy), "document": canonical_bytes(policy), "is_stored": is_stored, "options": options,
        "state": "queued", "tries": 0, "rows_done": 0, "created_by": change.who, "created_ms": change.now_ms,
    }  # fmt: skip
    change.connection.execute(insert(jobs).values(**made))
    if is_stored:
        change.note("start_simulation", _subject(made["policy"], made["hash"]), None, {"id": made["id"]})
    _forget(change, is_stored=is_stored)
    return require(change.connection, change.tenant, str(made["id"]))


def _count(connection: Connection, tenant: str, *, is_stored: bool) -> int:
    wanted = select(func.count()).where(
        jobs.c.tenant == tenant, jobs.c.is_stored == is_stored, jobs.c.state.not_in(ENDED)
    )
    return connection.scalar(wanted) or 0


def _forget(change: Change, *, is_stored: bool) -> None:
    """Let go of the oldest that have ended. By number and not by time: a clock may step back."""
    mine = (jobs.c.tenant == change.tenant, jobs.c.is_stored == is_stored, jobs.c.state.in_(ENDED))
    newest = select(jobs.c.number).where(*mine).order_by(jobs.c.number.desc()).offset(KEPT[is_stored]).limit(1)
    last = change.connection.scalar(newest)
    if last is not None:
        change.connection.execute(delete(jobs).where(*mine, jobs.c.number <= last))


def require(connection: Connection, tenant: str, id_: str) -> Job:
    """A job of a tenant, by its id. Raises NotFound."""
    row = connection.execute(_selected(tenant).where(jobs.c.id == id_)).mappings().one_or_none()
    if row is None:
        raise NotFound("simulation: there is none of this id, or it was let go of as one of the oldest")
    return _job(row)


def listed(
    connection: Connection, tenant: str, *, policy: str | None = None, before: str | None = None, most: int = 100
) -> list[Job]:
    """Jobs of a tenant, the newest first; ``before``: those older than this id. Raises NotFound."""
    wanted = _selected(tenant).order_by(jobs.c.number.desc()).limit(most)
    if policy is not None:
        wanted = wanted.where(jobs.c.policy == policy)
    if before is not None:
        wanted = wanted.where(jobs.c.number < require(connection, tenant, before).number)
    return [_job(row) for row in connection.execute(wanted).mappings()]


def report(connection: Connection, tenant: str, id_: str) -> bytes:
    """The report of a job that is done: JSON, the bytes that its SHA-256 names. Raises NotFound, Refused."""
    state = require(connection, tenant, id_).state
    packed = connection.scalar(select(jobs.c.report).where(jobs.c.tenant == tenant, jobs.c.id == id_))
    if packed is None:
        raise Refused("no_report", f"simulation: expected one that is done; this one is {state}")
    return zlib.decompress(packed)


def cancel(change: Change, id_: str) -> Job:
    """End a job that waits or runs; whoever runs it sees that it is no longer theirs. Again does nothing.

    Raises NotFound, and Refused for one that has ended by itself.
    """
    found = require(change.connection, change.tenant, id_)
    if found.state == "cancelled":
        return found
    ending = (
        update(jobs)
        .where(jobs.c.tenant == change.tenant, jobs.c.id == id_, jobs.c.state.not_in(ENDED))
        .values(state="cancelled", holder=None, until_ms=None, ended_ms=change.now_ms, ended_by=change.who)
    )
    if not change.connection.execute(ending).rowcount:
        raise Refused("has_ended", f"simulation: expected one that waits or runs; this one is {found.state}")
    if found.is_stored:
        change.note("cancel_simulation", _subject(found.policy, found.hash), {"state": found.state}, {"id": id_})
    return require(change.connection, change.tenant, id_)


def _subject(policy: object, hash_: object) -> str:
    return f"policy {policy} {hash_}"


def _selected(tenant: str) -> Select[Any]:
    return select(*_COLUMNS).where(jobs.c.tenant == tenant)


def _job(row: Any) -> Job:
    return Job(**row)


def of_numbers(connection: Connection, numbers: Iterable[int]) -> list[Job]:
    """Jobs of any tenant, by their numbers: for the process that runs them."""
    wanted = select(*_COLUMNS).where(jobs.c.number.in_(list(numbers))).order_by(jobs.c.number)
    return [_job(row) for row in connection.execute(wanted).mappings()]
