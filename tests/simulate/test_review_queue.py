"""Reviews pass a queue as people would serve it: first come, first served, and nobody served is lost."""

from datetime import timedelta
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.review_queue import PATIENT, Queue, Reviewers, queue
from tests.engine.scenes import budget, call, policy
from tests.simulate.drawn_files import write_events

MINUTE_MS = 60_000


def walked(arrivals: list[int], patiences: list[int], reviewers: Reviewers) -> Queue:
    """Millisecond by event: the queue as a list, with nothing clever."""
    busy_until = [0] * reviewers.count
    longest_wait = expired = 0
    stays = []
    for arrival, patience in zip(arrivals, patiences, strict=True):
        desk = min(range(reviewers.count), key=lambda n: busy_until[n])
        begins = max(arrival, busy_until[desk])
        if begins - arrival > patience:
            expired += 1
            stays.append((arrival, arrival + patience))
            continue
        busy_until[desk] = begins + reviewers.minutes * MINUTE_MS
        longest_wait = max(longest_wait, begins - arrival)
        stays.append((arrival, begins))
    longest = max((sum(a <= at < b for a, b in stays) for at, _ in stays), default=0)
    return Queue(longest, longest_wait, expired)


@given(
    gaps=st.lists(
        st.tuples(st.integers(0, 20 * MINUTE_MS), st.integers(1, 60 * MINUTE_MS) | st.just(PATIENT)), max_size=40
    ),
    count=st.integers(1, 4),
    minutes=st.integers(1, 30),
)
def test_the_queue_is_that_of_a_walk(gaps: list[tuple[int, int]], count: int, minutes: int) -> None:
    arrivals = np.cumsum(np.array([gap for gap, _ in gaps], np.int64))
    patiences = np.array([patience for _, patience in gaps], np.int64)
    reviewers = Reviewers(count, minutes)
    assert queue(arrivals, patiences, reviewers) == walked(arrivals.tolist(), patiences.tolist(), reviewers)


def test_a_review_waits_as_long_as_the_policy_that_asked_for_it_says(tmp_path: Path) -> None:
    quick = policy({"review": {"when": {"cost_usd_over": "0.5"}, "expires": "1h"}}, name="quick")
    patient = policy({"review": {"when": {"cost_usd_over": "0.1"}, "expires": "3d"}}, name="patient")
    capped = policy(budget("0", {"lifetime": True}, on_breach="review"), name="capped")
    calls = [call(timedelta(minutes=n), f"e{n}", 10**9) for n in range(6)]
    path = write_events(tmp_path / "events.jsonl", calls)
    expired = {}
    for name, policies in (("quick", [quick, patient]), ("patient", [patient]), ("capped", [capped])):
        job = Job([], policies, Source(events=path), reviewers=Reviewers(1, 25))
        expired[name] = run_job(job)["reviews"]["queue"]["expired"]
    # Three begin at 0, 25 and 50 minutes; whoever comes after them would wait for 70 and more.
    assert expired == {"quick": 3, "patient": 0, "capped": 0}


def test_nobody_waits_where_nothing_arrives() -> None:
    nothing = np.zeros(0, np.int64)
    assert queue(nothing, nothing, Reviewers(1, 10)) == Queue(0, 0, 0)
