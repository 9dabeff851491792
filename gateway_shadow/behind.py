"""What is read of each tenant behind the pages, now and then: a page shows what was last read, and waits for none."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Generic, TypeVar

Read = TypeVar("Read")
WAIT_S = 0.04
"""A page waits so long for what is being read."""
MOST_TENANTS = 200


class _Kept(Generic[Read]):
    def __init__(self) -> None:
        self.last: Read | None = None
        self.read_s = float("-inf")
        self.reading: Future[tuple[Read, float]] | None = None


class Behind(Generic[Read]):
    """By tenant the last of what is read by one thread, ``name``, once in ``fresh_for_s``. ``clock``: monotonic."""

    def __init__(self, name: str, fresh_for_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_for_s, self._clock = fresh_for_s, clock
        self._kept: dict[str, _Kept[Read]] = {}
        self._lock = Lock()
        self._thread = ThreadPoolExecutor(1, name)

    def of(self, tenant: str, read: Callable[[Read | None], Read]) -> Read | None:
        """What was last read; None while that is done for the first time. ``read`` is given the last, to go on from.

        Raises what ``read`` has raised, for a page that would show stale numbers otherwise.
        """
        with self._lock:
            kept = self._of(tenant)
            if kept.reading is None and self._clock() - kept.read_s >= self._fresh_for_s:
                kept.reading = self._thread.submit(lambda: (read(kept.last), self._clock()))
            reading = kept.reading
        if reading is None or not wait([reading], WAIT_S).done:
            return kept.last
        with self._lock:
            if kept.reading is reading:  # nobody who waited, too, was sooner
                kept.reading = None
                kept.last, kept.read_s = reading.result()
        return reading.result()[0]

    def _of(self, tenant: str) -> _Kept[Read]:
        if len(self._kept) >= MOST_TENANTS and tenant not in self._kept:
            self._kept.clear()
        return self._kept.setdefault(tenant, _Kept())
