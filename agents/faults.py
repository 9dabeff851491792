"""Fault points, for the tests that kill a worker at its worst moments. Without their variables they do nothing.

``SPENDGATE_FAULT=name[:n]`` kills the process (SIGKILL) when the fault point ``name`` is passed for the n-th time.
``SPENDGATE_FAULT_PUBLISH=n`` lets the n-th produce request fail once, with an error that may be retried.
"""

import os
import signal

from aiokafka.errors import RequestTimedOutError

NAME = "SPENDGATE_FAULT"
PUBLISH = "SPENDGATE_FAULT_PUBLISH"


class Countdown:
    """Says yes exactly once: at the n-th call."""

    def __init__(self, passes: int) -> None:
        self.left = passes

    def strikes(self) -> bool:
        """Whether this is the n-th call."""
        self.left -= 1
        return self.left == 0


def _passes(text: str) -> int:
    return int(text) if text.isdecimal() else 0


_armed, _, _count = os.environ.get(NAME, "").partition(":")
_kill = Countdown(_passes(_count or "1"))
_refuse = Countdown(_passes(os.environ.get(PUBLISH, "")))


async def fault_point(name: str) -> None:
    """Kill this very process here if the environment says so; see the module."""
    if _armed == name and _kill.strikes():
        os.kill(os.getpid(), signal.SIGKILL)


def publish_fault() -> None:
    """Raise RequestTimedOutError at the n-th call if the environment says so."""
    if _refuse.left > 0 and _refuse.strikes():
        raise RequestTimedOutError(f"asked for by {PUBLISH}")
