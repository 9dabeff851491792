"""Reviews as a resource: what so many reviewers, who take so long, would have had before them."""

import heapq
from dataclasses import dataclass

import numpy as np

from spendgate.engine.clock import MINUTE_MS
from spendgate.engine.rules import Int
from spendgate.model.policy import Policy
from spendgate.model.policy_types import minutes_of

PATIENT = 2**62
"""The patience (ms) of a review that never expires."""


@dataclass(frozen=True, slots=True)
class Reviewers:
    """``count`` people work without a pause, first come, first served, ``minutes`` a review."""

    count: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Queue:
    """``longest``: most that waited at once. ``longest_wait_ms``: of those that were answered."""

    longest: int
    longest_wait_ms: int
    expired: int


def patience_ms(policy: Policy) -> int:
    """How long a would-be review of a policy waits for an answer: the shortest ``expires`` of its review rules, PATIENT
    if none says one. A budget's reviews have none of their own."""
    said = [rule.review.expires for rule in policy.spec.rules if rule.review is not None]
    return min((minutes_of(each) * MINUTE_MS for each in said if each is not None), default=PATIENT)


def queue(arrivals_ms: Int, patiences_ms: Int, reviewers: Reviewers) -> Queue:
    """Pass reviews through the queue: when each arrives, ascending, and after how long it leaves unanswered."""
    free = [-(2**62)] * reviewers.count
    longest_wait = expired = 0
    leaves = []
    for arrival, patience in zip(arrivals_ms.tolist(), patiences_ms.tolist(), strict=True):
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
