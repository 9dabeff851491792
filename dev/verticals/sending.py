"""A vertical's records on their way through the door, one by one, as its agents would send them."""

import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from dev.house import good
from spendgate.model.event import Event
from spendgate.model.question import Question

_ASKED = tuple(name for name in Question.__struct_fields__ if name in Event.__struct_fields__)
"""What an agent can say of a call beforehand."""


@dataclass(slots=True)
class DoorSender:
    """Posts records by a client with an ingest key, ``rate`` of them a second (0: without a pause). Of those in
    ``asks`` the agent asks first. ``would_be``: what it was told, or why it was told nothing."""

    client: httpx.Client
    asks: Collection[str]
    rate: int
    stop: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    error: Exception | None = None
    would_be: Counter[str] = field(default_factory=Counter)

    def run(self, events: Sequence[Event]) -> None:
        """Send all, in order."""
        begun = time.monotonic()
        try:
            for event in events:
                self._send(event)
                self.sent += 1
                due = begun + self.sent / self.rate if self.rate else 0.0
                if self.stop.wait(max(0.0, due - time.monotonic())):
                    return
        except Exception as error:  # noqa: BLE001 - carried over to the main thread, which raises it
            self.error = error

    def _send(self, event: Event) -> None:
        if event.id in self.asks:
            event = msgspec.structs.replace(event, check_id=self._ask(event))
        answer = good(self.client.post("/v1/events", json=msgspec.to_builtins(event)))
        assert answer["accepted"] == 1

    def _ask(self, event: Event) -> str:
        said: dict[str, Any] = {name: getattr(event, name) for name in _ASKED}
        asked = {name: value for name, value in said.items() if value is not None}
        answer = good(self.client.post("/v1/check", json={"request_id": event.id, **asked}))
        self.would_be[answer["would_be"] or answer["fault"]] += 1
        return str(answer["check_id"])
