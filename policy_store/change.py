"""A change: one transaction of one tenant, with who makes it, when, and the trail that it leaves."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from policy_store import audit
from policy_store.database import Database


def now_ms() -> int:
    """The clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def random_hex() -> str:
    """16 hex digits."""
    return secrets.token_hex(8)


@dataclass
class Change:
    """What the functions of this package write with. ``who``: the person; ``now_ms``: when, the same throughout."""

    connection: Connection
    tenant: str
    who: str
    now_ms: int
    fresh: Callable[[], str] = field(repr=False)
    head: audit.Head

    def note(
        self,
        action: str,
        subject: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        why: str | None = None,
    ) -> None:
        """Add a row to the audit trail."""
        self.head = audit.append(
            self.connection, self.head, tenant=self.tenant, at_ms=self.now_ms, who=self.who, action=action,
            subject=subject, before=before, after=after, why=why,
        )  # fmt: skip


@dataclass(frozen=True)
class Changes:
    """Begins changes. The clock and what makes names are handed in."""

    database: Database
    now_ms: Callable[[], int] = now_ms
    fresh: Callable[[], str] = random_hex

    @contextmanager
    def of(self, tenant: str, who: str) -> Iterator[Change]:
        """A change of one tenant; changes of the same tenant wait for each other. Raises StoreAway."""
        with self.database.begin() as connection:
            head = audit.lock(connection, tenant)
            yield Change(connection, tenant, who, self.now_ms(), self.fresh, head)
