"""Packs events by tenant into messages for ``spend.events``: one object, or an array of up to 500."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spendgate.model.event import MAX_EVENTS_PER_MESSAGE, Event, encode_events

MAX_MESSAGE_BYTES = 900_000
"""Below a broker's default of 1 MiB a message, with room for key and framing. One event is below 6 kB."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: its tenant (whose bytes are the key), its compact JSON, and how many events it holds."""

    tenant: str
    value: bytes
    count: int

    @property
    def key(self) -> bytes:
        """The message's key."""
        return self.tenant.encode()


def pack(
    events: Iterable[Event], limit: int = MAX_EVENTS_PER_MESSAGE, max_bytes: int = MAX_MESSAGE_BYTES
) -> Iterator[Message]:
    """Messages of at most ``limit`` events and ``max_bytes`` bytes, with each tenant's events in their order.

    A single event that is larger than ``max_bytes`` stands alone. Raises ValueError for a limit below 1 or
    above 500.
    """
    if not 1 <= limit <= MAX_EVENTS_PER_MESSAGE:
        raise ValueError(f"limit: expected 1 to {MAX_EVENTS_PER_MESSAGE}")
    open_packs: dict[str, _Pack] = {}
    for event in events:
        raw = encode_events(event)
        waiting = open_packs.setdefault(event.tenant, _Pack())
        if waiting.rows and waiting.size_with(raw) > max_bytes:
            yield waiting.message(event.tenant)
            waiting = open_packs[event.tenant] = _Pack()
        waiting.add(raw)
        if len(waiting.rows) == limit:
            yield open_packs.pop(event.tenant).message(event.tenant)
    for tenant, last in open_packs.items():
        yield last.message(tenant)


class _Pack:
    """The encoded events of one tenant that wait for company."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []
        self._size = len(b"[]") - len(b",")

    def size_with(self, raw: bytes) -> int:
        return self._size + len(raw) + len(b",")

    def add(self, raw: bytes) -> None:
        self._size = self.size_with(raw)
        self.rows.append(raw)

    def message(self, tenant: str) -> Message:
        value = self.rows[0] if len(self.rows) == 1 else b"[" + b",".join(self.rows) + b"]"
        return Message(tenant, value, len(self.rows))
