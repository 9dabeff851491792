"""What is told of a simulation over HTTP."""

import json
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from gateway_shadow.documents import instant, same
from policy_store.jobs import Job, JobState


class JobDocument(BaseModel):
    """A simulation. ``stored``: of a stored version; ``progress``: from 0 to 1, None where it cannot be known;
    ``full_windows``: of the budget that had the fewest; ``simulation``: under which it counts as evidence for staging,
    None where it does not."""

    id: str
    policy: str
    hash: str
    stored: bool
    options: dict[str, Any]
    state: JobState
    progress: float | None
    rows_done: int
    rows_total: int | None
    tries: int
    created_by: str
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    problem: str | None
    ledger_version: int | None
    engine_version: str | None
    report_sha256: str | None
    from_: datetime | None = Field(serialization_alias="from")
    to: datetime | None
    full_windows: int | None
    simulation: str | None

    @classmethod
    def of(cls, found: Job) -> Self:
        """The answer for a job."""
        facts = json.loads(found.facts or "{}")
        return cls(**{
            **same(cls, found), "options": json.loads(found.options), "stored": found.is_stored,
            "progress": _progress(found), "created_at": instant(found.created_ms),
            "started_at": instant(found.started_ms),
            "ended_at": instant(found.ended_ms), "from_": instant(facts.get("from_ms")),
            "to": instant(facts.get("to_ms")), "full_windows": facts.get("full_windows"),
        })  # fmt: skip


class Jobs(BaseModel):
    """A page; ``next`` is the cursor of the one after."""

    items: list[JobDocument]
    next: str | None


def _progress(found: Job) -> float | None:
    if found.state == "done":
        return 1.0
    if found.state == "queued":
        return 0.0
    if not found.rows_total:
        return None
    return round(min(1.0, found.rows_done / found.rows_total), 4)
