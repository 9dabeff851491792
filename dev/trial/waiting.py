"""Waiting for something to hold, against a deadline."""

import time
from collections.abc import Callable

DEADLINE_S = 120.0
"""For what is bound to come, be the machine ever so busy; where a law names a time, the test does."""
_POLL_S = 0.05
_LONGEST_POLL_S = 0.5
_REST = 2.0
"""How many times as long as it looks it rests, so that it takes little from what it waits for."""


class Late(Exception):
    """What was waited for did not come."""


def until(
    condition: Callable[[], object],
    what: str,
    deadline_s: float = DEADLINE_S,
    state: Callable[[], str] = lambda: "",
) -> None:
    """Poll until ``condition`` holds; Late after ``deadline_s``, with ``what`` was waited for and the ``state``."""
    begin = looked = time.monotonic()
    while not condition():
        now = time.monotonic()
        if now > begin + deadline_s:
            raise Late(f"not within {deadline_s:.0f} s: {what} {state()}")
        time.sleep(min(max(_POLL_S, _REST * (now - looked)), _LONGEST_POLL_S))
        looked = time.monotonic()
