"""Waiting in a test: what does not come has failed it."""

import time
from collections.abc import Callable

import pytest

from dev.trial import waiting
from dev.trial.waiting import DEADLINE_S

__all__ = ["DEADLINE_S", "in_time", "seconds_until", "until"]

TRIES = 3


def until(
    condition: Callable[[], object],
    what: str,
    deadline_s: float = DEADLINE_S,
    state: Callable[[], str] = lambda: "",
) -> None:
    """As ``dev.trial.waiting.until``, of which a test may wait no longer."""
    try:
        waiting.until(condition, what, deadline_s, state)
    except waiting.Late as error:
        pytest.fail(str(error))


def in_time(took_s: Callable[[], float], within_s: float) -> None:
    """Have done what a law gives so much time, and says how long it has taken. A machine that is busy may be late with
    it; what breaks the law is late however often it is tried."""
    found: list[float] = []
    while not found or found[-1] >= within_s:
        if len(found) == TRIES:
            pytest.fail(f"took {', '.join(f'{each:.2f}' for each in found)} s, never less than {within_s:g} s")
        found.append(took_s())


def seconds_until(condition: Callable[[], object], what: str, state: Callable[[], str] = lambda: "") -> float:
    """Wait for it, and say how long it took to come."""
    begun = time.monotonic()
    until(condition, what, state=state)
    return time.monotonic() - begun
