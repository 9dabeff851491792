"""The relay: sends what waits in the outbox, in order, each row once the one before is acknowledged."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from policy_store import outbox
from policy_store.change import now_ms
from policy_store.database import Database

log = logging.getLogger(__name__)

LEASE_MS = 15_000


class Wire(Protocol):
    """Where messages go."""

    def publish(self, topic: str, key: bytes, value: bytes) -> None:
        """Send one message and return once it is acknowledged; raises if it is not, or not known to be."""


def _nothing(_: str) -> None:
    """No fault."""


@dataclass(frozen=True)
class Relay:
    """``topics``: the name of each topic, by its name in ``topics.yaml``; ``holder``: names this process.

    ``fault_point`` is called between the steps, for tests.
    """

    database: Database
    wire: Wire
    topics: dict[outbox.TopicName, str]
    holder: str
    now_ms: Callable[[], int] = now_ms
    fault_point: Callable[[str], None] = _nothing

    def run_once(self, most: int = 100) -> int:
        """Send what waits, up to ``most`` rows; how many were sent. 0 too where another process is the one that sends.

        Raises StoreAway, and what the wire raises: nothing is lost then, and the next call goes on.
        """
        sent = 0
        while sent < most and (row := self._next()) is not None:
            self.wire.publish(self.topics[row.topic], row.key, row.value)
            self.fault_point("published")
            with self.database.begin() as connection:
                outbox.mark_sent(connection, row.number, self.now_ms())
            self.fault_point("marked")
            sent += 1
        return sent

    def _next(self) -> outbox.Row | None:
        """The first row that waits, if this process may send it. While nothing waits, nothing is written."""
        with self.database.read() as connection:
            if not outbox.waiting(connection, 1):
                return None
        with self.database.begin() as connection:
            rows = outbox.waiting(connection, 1)
            if not rows or not outbox.take_lease(connection, self.holder, self.now_ms(), LEASE_MS):
                return None
            return rows[0]
