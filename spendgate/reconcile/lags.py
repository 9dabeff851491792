"""How long decisions took, exactly: a count for each number of milliseconds."""

from collections import Counter

import numpy as np

from spendgate.engine.rules import Int
from spendgate.model.reconciliation_parts import Lag

MINUTE_MS = 60_000
"""Lags below it, which is nearly all, are counted in an array."""


class Lags:
    """Lags of decisions, and the ages of calls that wait for one, ms."""

    def __init__(self) -> None:
        self._soon = np.zeros(MINUTE_MS, np.int64)
        self._others: Counter[int] = Counter()
        self._waiting: Counter[int] = Counter()

    def add(self, lags_ms: Int) -> None:
        """Note decisions that were made."""
        is_soon = (lags_ms >= 0) & (lags_ms < MINUTE_MS)
        self._soon += np.bincount(lags_ms[is_soon], minlength=MINUTE_MS)
        _count(self._others, lags_ms[~is_soon])

    def wait(self, ages_ms: Int) -> None:
        """Note calls without a decision, by how long they have waited at the end of the log."""
        _count(self._waiting, ages_ms)

    def result(self, threshold_ms: int) -> Lag | None:
        """None without any. Who has waited for longer than the threshold counts by its age; others are not due."""
        due = Counter({age: count for age, count in self._waiting.items() if age > threshold_ms})
        made = self._made()
        every = made + due
        if not every:
            return None
        return Lag(
            decisions=made.total(), p50_ms=_rank(every, 50), p99_ms=_rank(every, 99), max_ms=max(every),
            over=sum(count for lag, count in made.items() if lag > threshold_ms), waiting=due.total(),
        )  # fmt: skip

    def _made(self) -> Counter[int]:
        soon = np.flatnonzero(self._soon)
        return Counter(dict(zip(soon.tolist(), self._soon[soon].tolist(), strict=True))) + self._others


def _count(counter: Counter[int], values: Int) -> None:
    found, counts = np.unique(values, return_counts=True)
    counter.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def _rank(lags: Counter[int], percent: int) -> int:
    """The smallest lag that so many percent do not exceed (nearest rank)."""
    wanted, seen = -(-lags.total() * percent // 100), 0
    for lag in sorted(lags):
        seen += lags[lag]
        if seen >= wanted:
            return lag
    return max(lags)
