"""Waiting for a condition, never for a length of time."""

import time
from collections.abc import Callable

import pytest

DEADLINE_S = 40.0


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Poll until ``condition`` holds; fail after ``deadline_s`` with ``what`` was waited for."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:.0f} s: {what}")
        time.sleep(0.05)
