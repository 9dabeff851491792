"""Waiting for something to hold, against a deadline."""

import time
from collections.abc import Callable

import pytest

DEADLINE_S = 40.0
_POLL_S = 0.05


def until(
    condition: Callable[[], object],
    what: str,
    deadline_s: float = DEADLINE_S,
    state: Callable[[], str] = lambda: "",
) -> None:
    """Poll until ``condition`` holds; fail after ``deadline_s`` with ``what`` was waited for, and the ``state``."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:.0f} s: {what} {state()}")
        time.sleep(_POLL_S)
