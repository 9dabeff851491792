"""Reads bytes as a file would be read."""

from io import BytesIO

from spendgate.ledger.readers import Reading, ReadOptions, Refused
from spendgate.model.decode import decode_message
from spendgate.model.event import Event, encode_events
from spendgate.model.partition import partition_of

PARTITIONS = 8


def read(raw: bytes, options: ReadOptions | None = None) -> tuple[list[Event], list[Refused]]:
    """The events and the refused rows of a file with this content."""
    items = list(Reading(BytesIO(raw), options or ReadOptions()))
    return (
        [item for item in items if isinstance(item, Event)],
        [item for item in items if isinstance(item, Refused)],
    )


def is_taken(event: Event) -> bool:
    """Whether the log would take this event."""
    key = event.tenant.encode()
    decoded = decode_message(key, encode_events(event), partition_of(key, PARTITIONS), PARTITIONS)
    return decoded.events == [event] and not decoded.faults
