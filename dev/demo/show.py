"""The live part of a demo: records go out, decisions come in, and it is known when all have come."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.live import Live

from dev.demo.check import Verdict, compare
from dev.demo.screen import screen
from dev.demo.stream import Feed
from dev.demo.tally import Tally
from dev.errors import StackError
from dev.places import home
from spendgate.model.decision import Decision
from spendgate.model.event import Event

QUIET_S = 60.0
TIMEOUT_S = 20.0


class Sends(Protocol):
    """Sends events from a thread of its own; ``sent`` counts those that were acknowledged."""

    stop: threading.Event
    sent: int
    error: Exception | None

    def run(self, events: Sequence[Event]) -> None:
        """Send all; what goes wrong is left in ``error``."""


@dataclass(slots=True)
class Show:
    """Sends, watches, and knows when all has come."""

    console: Console
    feed: Feed
    sender: Sends
    total: int
    tally: Tally = field(default_factory=Tally)
    _since: float = field(default_factory=time.monotonic)

    def stream(self, events: list[Event], *, live: bool) -> None:
        """Send everything, and take in decisions meanwhile."""
        thread = threading.Thread(target=self.sender.run, args=(events,), daemon=True)
        thread.start()
        try:
            with Live(console=self.console, refresh_per_second=4) if live else nullcontext() as screen_of:
                while thread.is_alive() or len(self.tally.decisions) < self._nearly_all(events):
                    self.feed.poll(self.tally)
                    if screen_of is not None:
                        screen_of.update(screen(self.tally, self.sender.sent, self.total))
                    if not thread.is_alive() and self._is_quiet():
                        break
        finally:
            self.sender.stop.set()
            thread.join(TIMEOUT_S)
        if self.sender.error is not None:
            raise self.sender.error

    def settle(self, replay: Callable[[], Mapping[str, Decision]], running: "list[subprocess.Popen[bytes]]") -> Verdict:
        """Wait until every decision that the replay owes has come, or nothing comes any more; compare."""
        expected = replay()
        while expected.keys() - self.tally.decisions.keys() and not self._is_quiet():
            if dead := [worker for worker in running if worker.poll() is not None]:
                raise StackError(f"an agent ended with exit code {dead[0].returncode}; see its log in {home()}")
            self.feed.poll(self.tally)
        return compare(expected, self.tally)

    def _nearly_all(self, events: list[Event]) -> int:
        return len({(event.tenant, event.source, event.id) for event in events if event.kind == "call"})

    def _is_quiet(self) -> bool:
        last = max(self.tally.last_at, self._since)
        return time.monotonic() - last > QUIET_S
