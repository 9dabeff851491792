"""A clock that does not step back, for what must stay over once it is."""

from collections.abc import Callable


class Forward:
    """The latest that a clock has said so far: what has expired stays expired, though the clock is set back.

    Not for leases: while the other clock catches up this one stands still.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._latest_ms = 0

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        self._latest_ms = max(self._latest_ms, self._now_ms())
        return self._latest_ms
