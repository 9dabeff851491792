"""Reviews as a resource: what so many reviewers, who take so long, would have had before them."""

import heapq
from dataclasses import dataclass

import numpy as np

from spendgate.engine.clock import MINUTE_MS
from spendgate.engine.rules import Int


@dataclass(frozen=True, slots=True)
class Reviewers:
    """``count`` people work without a pause, first come, first served, ``minutes`` a review; one that waits longer
    than ``expires_minutes`` leaves the queue unanswered (None: never)."""

    count: int
    minutes: int
    expires_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """``longest``: most that waited at once. ``longest_wait_ms``: of those that were answered."""

    longest: int
    longest_wait_ms: int
    expired: int


def queue(arrivals_ms: Int, reviewers: Reviewers) -> Queue:
    """Pass reviews through the queue; ``arrivals_ms`` ascending."""
    free = [-(2**62)] * reviewers.count
    patience = 2**62 if reviewers.expires_minutes is None else reviewers.expires_minutes * MINUTE_MS
    longest_wait = expired = 0
    leaves = []
    for arrival in arrivals_ms.tolist():
        start = max(arrival, free[0])
        if start - arrival > patience:
            expired += 1
            leaves.append(arrival + patience)
            continue
        heapq.heapreplace(free, start + reviewers.minutes * MINUTE_MS)
        longest_wait = max(longest_wait, start - arrival)
        leaves.append(start)
    return Queue(_longest(arrivals_ms, np.sort(np.array(leaves, np.int64))), longest_wait, expired)


def _longest(arrivals: Int, leaves: Int) -> int:
    """The most that waited at once: arrived, and not yet begun or gone. One that begins at once does not wait."""
    if not len(arrivals):
        return 0
    waiting = np.arange(1, len(arrivals) + 1) - np.searchsorted(leaves, arrivals, side="right")
    return max(0, int(waiting.max()))
