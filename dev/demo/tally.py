"""What the decisions that came so far add up to."""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from spendgate.model.decision import Decision, Reason, Verdict

LATEST = 6


@dataclass(slots=True)
class Tally:
    """Decisions by id and sums by verdict; a repeat is counted as such and otherwise dropped."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    repeated: int = 0
    events: Counter[Verdict] = field(default_factory=Counter)
    nano_usd: Counter[Verdict] = field(default_factory=Counter)
    budgets: dict[tuple[str, str | None], Reason] = field(default_factory=dict)
    denials: deque[Decision] = field(default_factory=lambda: deque(maxlen=LATEST))
    first_at: float | None = None
    last_at: float = 0.0

    def take(self, decisions: Iterable[Decision]) -> None:
        """Add decisions."""
        for decision in decisions:
            if decision.decision_id in self.decisions:
                self.repeated += 1
                continue
            self.decisions[decision.decision_id] = decision
            self._add(decision)

    def _add(self, decision: Decision) -> None:
        self.last_at = time.monotonic()
        self.first_at = self.first_at or self.last_at
        self.events[decision.verdict] += 1
        self.nano_usd[decision.verdict] += decision.cost_nano_usd or 0
        if decision.verdict == "deny":
            self.denials.append(decision)
        for reason in decision.reasons:
            if reason.limit_nano_usd is not None:
                self.budgets[reason.policy, reason.counter] = reason

    @property
    def rate(self) -> float:
        """Decisions a second between the first and the last."""
        seconds = self.last_at - (self.first_at or self.last_at)
        return len(self.decisions) / seconds if seconds > 0 else 0.0

    def fullest(self, count: int) -> list[Reason]:
        """For each policy the ``count`` counters nearest their caps or furthest beyond, by share of the cap."""
        by_share = sorted(self.budgets.values(), key=_share, reverse=True)
        ranks: Counter[str] = Counter()
        found: list[Reason] = []
        for reason in by_share:
            ranks[reason.policy] += 1
            if ranks[reason.policy] <= count:
                found.append(reason)
        return found


def _share(reason: Reason) -> float:
    return (reason.used_before_nano_usd or 0) / max(1, reason.limit_nano_usd or 1)
