"""How processes share the jobs: each is held by one at a time under a lease, and ends once.

A holder that dies lets its lease run out, and the job is run again, a few times. A lease that ends further ahead than
any could is void too: the clock has stepped back since it was given.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from policy_store import simulations
from policy_store.change import Change, Changes
from policy_store.jobs import Job, of_numbers
from policy_store.simulations import Found
from policy_store.tables import jobs

LEASE_MS = 15_000
MOST_TRIES = 3
_DIED = f"the process that ran it ended {MOST_TRIES} times before its end; is there memory for so much history?"
_QUEUED: Mapping[str, Any] = {"state": "queued", "holder": None, "until_ms": None, "rows_done": 0}


class Lost(Exception):
    """The job is no longer this holder's: it was cancelled, or another one has taken it over."""


class Outcome(NamedTuple):
    """What a simulation ended with. ``report``: JSON, the bytes that ``found`` has the SHA-256 of; ``rows``: passed."""

    found: Found
    report: bytes
    rows: int = 0


@dataclass(frozen=True)
class Queue:
    """The jobs as one process sees them. ``holder`` names it.

    There are two lanes, jobs of stored versions and jobs of drafts, and a tenant has one running in each: whoever tries
    something out does not wait for a long one, and nobody for another tenant's many.
    """

    changes: Changes
    holder: str

    def claim(self, *, is_stored: bool) -> Job | None:
        """The next job of a lane, now this process's; of the tenant that was served longest ago. Raises StoreAway."""
        self._take_back()
        with self.changes.database.read() as connection:
            tenants = _waiting_tenants(connection, is_stored=is_stored)
        for tenant in tenants:
            with self.changes.of(tenant, self.holder) as change:  # one claim a tenant at a time
                if (found := self._claimed(change, is_stored=is_stored)) is not None:
                    return found
        return None

    def _claimed(self, change: Change, *, is_stored: bool) -> Job | None:
        mine = and_(jobs.c.tenant == change.tenant, jobs.c.is_stored == is_stored)
        if change.connection.scalar(select(jobs.c.number).where(mine, jobs.c.state == "running").limit(1)) is not None:
            return None
        first = select(func.min(jobs.c.number)).where(mine, jobs.c.state == "queued")
        number = change.connection.scalar(first)
        if number is None:
            return None
        change.connection.execute(
            update(jobs)
            .where(jobs.c.number == number)
            .values(
                state="running", holder=self.holder, until_ms=change.now_ms + LEASE_MS, tries=jobs.c.tries + 1,
                started_ms=change.now_ms, rows_done=0,
            )
        )  # fmt: skip
        return of_numbers(change.connection, [number])[0]

    def _take_back(self) -> None:
        """Put jobs whose holder has gone back into the queue; those that have been tried too often have failed."""
        now_ms = self.changes.now_ms()
        lost = and_(jobs.c.state == "running", _run_out(now_ms))
        with self.changes.database.read() as connection:
            if connection.scalar(select(jobs.c.number).where(lost).limit(1)) is None:
                return
        with self.changes.database.begin() as connection:
            failed = {**_ended("failed", now_ms), "problem": _DIED}
            connection.execute(update(jobs).where(lost, jobs.c.tries >= MOST_TRIES).values(**failed))
            connection.execute(update(jobs).where(lost).values(**_QUEUED))

    def renew(self, job: Job, rows_done: int = 0, **known: Any) -> None:
        """Say that the job runs on, and how far it is; ``known``: other columns. Raises Lost, StoreAway."""
        with self.changes.database.begin() as connection:
            values = {"until_ms": self.changes.now_ms() + LEASE_MS, "rows_done": rows_done, **known}
            self._set(connection, job, values)

    def release(self, job: Job) -> None:
        """Put a job back as if it had not been begun: this process stops. Raises Lost, StoreAway."""
        with self.changes.database.begin() as connection:
            self._set(connection, job, {**_QUEUED, "tries": job.tries - 1})

    def died(self, job: Job) -> None:
        """Put a job back whose process has died, or have it fail where that was often. Raises Lost, StoreAway."""
        if job.tries >= MOST_TRIES:
            self.failed(job, _DIED)
            return
        with self.changes.database.begin() as connection:
            self._set(connection, job, _QUEUED)

    def done(self, job: Job, outcome: Outcome) -> None:
        """End a job with its report. In the same transaction it is recorded as evidence, if it is. Raises Lost,
        StoreAway; nothing of it is written then."""
        with self.changes.of(job.tenant, job.created_by) as change:
            facts = outcome.found._asdict()
            self._set(change.connection, job, {
                **_ended("done", change.now_ms), "report": zlib.compress(outcome.report),
                "report_sha256": facts.pop("report_sha256"), "engine_version": facts.pop("engine_version"),
                "facts": json.dumps(facts), "rows_done": outcome.rows, "rows_total": outcome.rows,
            })  # fmt: skip
            if job.counts:
                made = simulations.record(change, job.policy, job.hash, outcome.found)
                change.connection.execute(update(jobs).where(jobs.c.number == job.number).values(simulation=made.id))

    def failed(self, job: Job, problem: str) -> None:
        """End a job that cannot be done. Raises Lost, StoreAway."""
        with self.changes.database.begin() as connection:
            self._set(connection, job, {**_ended("failed", self.changes.now_ms()), "problem": problem})

    def _set(self, connection: Connection, job: Job, values: Mapping[str, Any]) -> None:
        mine = (jobs.c.number == job.number, jobs.c.state == "running", jobs.c.holder == self.holder)
        if not connection.execute(update(jobs).where(*mine, jobs.c.tries == job.tries).values(**values)).rowcount:
            raise Lost


def _waiting_tenants(connection: Connection, *, is_stored: bool) -> list[str]:
    lane = jobs.c.is_stored == is_stored
    served = select(jobs.c.tenant, func.max(jobs.c.started_ms)).where(lane).group_by(jobs.c.tenant)
    waits = select(jobs.c.tenant, func.min(jobs.c.number)).where(lane, jobs.c.state == "queued").group_by(jobs.c.tenant)
    busy = set(connection.scalars(select(jobs.c.tenant).where(lane, jobs.c.state == "running")))
    last_ms = {tenant: at_ms or 0 for tenant, at_ms in connection.execute(served)}
    found = [(last_ms[tenant], number, tenant) for tenant, number in connection.execute(waits) if tenant not in busy]
    return [tenant for _, _, tenant in sorted(found)]


def _run_out(now_ms: int) -> ColumnElement[bool]:
    """Of a lease; twice as far ahead as it may be leaves room for the clocks of two machines."""
    return or_(jobs.c.until_ms <= now_ms, jobs.c.until_ms > now_ms + 2 * LEASE_MS)


def _ended(state: str, now_ms: int) -> dict[str, Any]:
    return {"state": state, "holder": None, "until_ms": None, "ended_ms": now_ms}
