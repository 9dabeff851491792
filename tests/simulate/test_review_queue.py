"""Reviews pass a queue as people would serve it: first come, first served, and nobody served is lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spendgate.simulate.review_queue import Queue, Reviewers, queue

MINUTE_MS = 60_000


def walked(arrivals: list[int], reviewers: Reviewers) -> Queue:
    """Millisecond by event: the queue as a list, with nothing clever."""
    patience = None if reviewers.expires_minutes is None else reviewers.expires_minutes * MINUTE_MS
    busy_until = [0] * reviewers.count
    longest_wait = expired = 0
    stays = []
    for arrival in arrivals:
        desk = min(range(reviewers.count), key=lambda n: busy_until[n])
        begins = max(arrival, busy_until[desk])
        if patience is not None and begins - arrival > patience:
            expired += 1
            stays.append((arrival, arrival + patience))
            continue
        busy_until[desk] = begins + reviewers.minutes * MINUTE_MS
        longest_wait = max(longest_wait, begins - arrival)
        stays.append((arrival, begins))
    longest = max((sum(a <= at < b for a, b in stays) for at, _ in stays), default=0)
    return Queue(longest, longest_wait, expired)


@given(
    gaps=st.lists(st.integers(0, 20 * MINUTE_MS), max_size=40),
    count=st.integers(1, 4),
    minutes=st.integers(1, 30),
    expires=st.none() | st.integers(1, 60),
)
def test_the_queue_is_that_of_a_walk(gaps: list[int], count: int, minutes: int, expires: int | None) -> None:
    arrivals = np.cumsum(np.array([1, *gaps], np.int64))
    reviewers = Reviewers(count, minutes, expires)
    assert queue(arrivals, reviewers) == walked(arrivals.tolist(), reviewers)


def test_nobody_waits_where_nothing_arrives() -> None:
    assert queue(np.zeros(0, np.int64), Reviewers(1, 10)) == Queue(0, 0, 0)
