"""How a worker's process ends: always, within a bound, with one line that says why.

After an actor died Faust's own stop can wait for ever, and a stop in the middle of a rebalance can hang; so every
stop and every crash starts a timer that ends the process hard. Nothing is lost by it: what was not acknowledged is
delivered again.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable

CRASH = 70
STOP_WITHIN_S = 12.0

log = logging.getLogger(__name__)


class Fatal(Exception):
    """The worker cannot go on and a retry would not help. ``code`` is the exit code of the process."""

    def __init__(self, reason: str, code: int = CRASH) -> None:
        super().__init__(reason)
        self.code = code


def one_line(reason: BaseException) -> str:
    """A reason on one line of at most 500 characters; the type is named unless the words are ours."""
    text = " ".join(str(reason).split())
    if not isinstance(reason, Fatal):
        name = type(reason).__name__
        text = text if text.startswith(name) else f"{name}: {text}" if text else name
    return text[:500]


def leave(code: int) -> None:
    """End the process now, with what was logged so far written out."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Exit:
    """The end of one process; the first reason and its code stand."""

    def __init__(self, end: Callable[[int], None] = leave) -> None:
        self.reason: BaseException | None = None
        self.code = 0
        self._end = end
        self._lock = threading.Lock()

    def crash(self, reason: BaseException) -> None:
        """Log why, once, and end the process at once. May be called from any thread.

        A crash needs no graceful stop, for what was not acknowledged is delivered again; and mode's own runs in the
        main thread while the consumer's still uses uvloop, which is no safe thing to do.
        """
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            self.code = reason.code if isinstance(reason, Fatal) else CRASH
        log.critical("worker ends with exit code %d: %s", self.code, one_line(reason))
        log.debug("the reason in full", exc_info=reason)
        self._end(self.code)

    def within(self, seconds: float = STOP_WITHIN_S) -> None:
        """End the process hard after ``seconds`` if it still lives then: with the code of the reason, or 0 if it was
        only told to stop."""
        timer = threading.Timer(seconds, self._overdue)
        timer.daemon = True
        timer.start()

    def _overdue(self) -> None:
        log.warning("the worker did not stop in time and is ended hard")
        self._end(self.code)
