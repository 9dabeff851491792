"""Decisions out of messages: decoded, filtered, and each of them once."""

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter

from spendgate.model.decision import Decision, read_decisions

REMEMBERED = 200_000
"""Ids kept for dropping repeats. A repeat follows closely: a worker does again what it did before a fault."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions to show; None and empty are all. ``policy``: those with a reason of this policy."""

    verdicts: frozenset[str] = frozenset()
    policy: str | None = None
    tenant: str | None = None

    def takes(self, decision: Decision) -> bool:
        """Whether this one is to be shown."""
        return (
            (not self.verdicts or decision.verdict in self.verdicts)
            and (self.tenant is None or decision.tenant == self.tenant)
            and (self.policy is None or any(reason.policy == self.policy for reason in decision.reasons))
        )


class Feed:
    """Turns messages into the decisions that are wanted. ``unreadable``: messages that hold none."""

    def __init__(self, wanted: Wanted, remembered: int = REMEMBERED) -> None:
        self._wanted = wanted
        self._remembered = remembered
        self._seen: OrderedDict[str, None] = OrderedDict()
        self.unreadable = 0

    def take(self, values: Iterable[bytes | None]) -> Iterator[Decision]:
        """The decisions of these messages, in order, without repeats."""
        for value in values:
            for decision in self._decoded(value):
                if self._wanted.takes(decision) and self._is_new(decision.decision_id):
                    yield decision

    def _decoded(self, value: bytes | None) -> list[Decision]:
        text = (value or b"").lstrip()
        found = read_decisions(text if text[:1] == b"[" else b"[%b]" % text) if text else None
        if found is None:
            self.unreadable += 1
        return found or []

    def _is_new(self, decision_id: str) -> bool:
        if decision_id in self._seen:
            self._seen.move_to_end(decision_id)
            return False
        self._seen[decision_id] = None
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return True


def newest(decisions: Iterable[Decision], limit: int) -> list[Decision]:
    """The ``limit`` latest by ``decided_at``, the oldest first."""
    return heapq.nlargest(limit, decisions, key=attrgetter("decided_at"))[::-1]
