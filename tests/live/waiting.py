"""Waiting in a test: what does not come has failed it."""

from collections.abc import Callable

import pytest

from dev.trial import waiting
from dev.trial.waiting import DEADLINE_S

__all__ = ["DEADLINE_S", "until"]


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
