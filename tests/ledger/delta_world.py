"""A ledger for tests: events with places, written by a source in cuts, and read back as places."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import Appended, LedgerTable
from spendgate.ledger.event_rows import Place, batch_of, events_of, places_of
from spendgate.model.event import Event

START = datetime(2026, 11, 5, 22, tzinfo=UTC)
TOPIC = "6f1d2c1e-0000-4000-8000-000000000001"
SOURCE = (TOPIC, 0)


def event(number: int, tenant: str = "acme", source: str = "app") -> Event:
    """Event ``number``; one a second."""
    at = START + timedelta(seconds=number)
    return Event(id=f"e{number}", source=source, tenant=tenant, time=at, cost_nano_usd=number)


def place(offset: int, index: int = 0, source: tuple[str, int] = SOURCE) -> Place:
    """Message ``offset`` was received a minute after the one before."""
    return Place(*source, offset, index, START + timedelta(minutes=offset))


def append(
    writer: LedgerTable, first: int, last: int, *, tenants: Sequence[str] = ("acme",), source: tuple[str, int] = SOURCE
) -> Appended:
    """Messages ``first`` to ``last``, each with one event of each tenant."""
    events = [event(offset, tenant) for offset in range(first, last + 1) for tenant in tenants]
    places = [place(offset, index, source) for offset in range(first, last + 1) for index in range(len(tenants))]
    return writer.append("events", [batch_of(events, places)], source, last, first_offset=first)


def offsets(root: Path, tenant: str = "acme") -> list[int | None]:
    """The offsets of a tenant's rows, in ledger order."""
    batches = Ledger.open(root).event_batches(tenant, batch_rows=7)
    return [found.offset for batch in batches for found in places_of(batch)]


def ids(root: Path, tenant: str = "acme") -> list[str]:
    """The ids of a tenant's events, in ledger order."""
    batches = Ledger.open(root).event_batches(tenant, ["id", "source", "tenant", "time"])
    return [found.id for batch in batches for found in events_of(batch)]
