"""One topic partition of a ledger as the log that it was: stretches of calls, and activations, by their offsets."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa

from spendgate.engine.calls import EPOCH, Calls
from spendgate.ledger.activation_rows import TenantCheckpoint, activations_of
from spendgate.ledger.delta_files import DataFile
from spendgate.ledger.delta_reader import LAST, Ledger, Part
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.delta_writer import source_name
from spendgate.ledger.event_rows import events_of
from spendgate.model.activation import Activation

_MS = timedelta(milliseconds=1)
ROWS = 50_000
"""About so many rows are held at a time; some 1 KiB each while they are Python's."""


@dataclass(slots=True)
class Stretch:
    """Records up to offset ``last``: calls and annotations by tenant, or one activation that stands there."""

    last: int
    received_ms: int
    calls: dict[str, Calls] = field(default_factory=dict)
    activation: Activation | None = None


class Gap(NamedTuple):
    """What a ledger lacks of a topic partition: everything before ``first``, and ``missing`` records after it."""

    first: int
    missing: int


class LedgerLog:
    """The rows of ``topic_id`` and ``partition`` in a ledger at fixed versions. Its methods raise LedgerError."""

    def __init__(self, ledger: Ledger, topic_id: str, partition: int) -> None:
        self._ledger = ledger
        self.source = (topic_id, partition)
        self._events = self._files("events")
        self._activations = self._files("activations")

    @property
    def covered(self) -> int:
        """The last offset that the ledger covers, -1 for none."""
        return self._ledger.covered("events", *self.source)

    @property
    def gap(self) -> Gap | None:
        """What it lacks of the records up to ``covered``; None where it has all of them."""
        table = self._ledger.table("events")
        if table is None or self.covered < 0:
            return None
        name = source_name(*self.source)
        first, missing = (table.transaction_version(f"{name} {each}") or 0 for each in ("first", "missing"))
        return Gap(first, missing) if first or missing else None

    @property
    def last_received_ms(self) -> int:
        """The broker's time (ms) of the last record that is there, whoever's; 0 without one."""
        greatest = [file.greatest["received_at"] for file in (*self._events, *self._activations)]
        return max(((at - EPOCH) // _MS for at in greatest), default=0)

    def checkpoint(self, at_or_before: int = LAST) -> list[TenantCheckpoint]:
        """See ``Ledger.checkpoint``."""
        return self._ledger.checkpoint(*self.source, at_or_before)

    def hashes(self) -> set[str]:
        """The hashes of all policies that its activations name."""
        return {
            each.activation.hash for rows in self._activated(LAST).values() for each in rows if each.activation.hash
        }

    def begun(self, last: int = LAST, tenant: str | None = None) -> list["Begun"]:
        """The activations up to offset ``last``, of one tenant or of all, in log order."""
        found = (each for rows in self._activated(last, tenant).values() for each in rows)
        return sorted(found, key=lambda each: each.place)

    def stretches(self, first: int, last: int, tenant: str | None = None) -> Iterator[Stretch]:
        """The records of offsets ``first`` to ``last``, both included, of one tenant or of all.

        Memory is bounded by ``ROWS`` and by the longest message of each tenant.
        """
        if first > last:
            return
        tenants = [tenant] if tenant is not None else self._tenants()
        begun = [each for each in self.begun(last, tenant) if each.place >= first]
        for start, end in pairwise([*self._cuts(first, last, tenant), last + 1]):
            within = [each for each in begun if start <= each.place < end]
            yield from self._range(start, end, tenants, within)

    def _range(self, start: int, end: int, tenants: Iterable[str], begun: Sequence["Begun"]) -> Iterator[Stretch]:
        """The records of ``[start, end)``."""
        part = Part(*self.source, start, end - 1)
        read = {tenant: self._calls(tenant, part) for tenant in tenants}
        calls = {tenant: found for tenant, found in read.items() if found.events}
        for activation in begun:
            yield from _stretch(calls, start, activation.place)
            yield Stretch(activation.place, activation.received_ms, activation=activation.activation)
            start = activation.place + 1
        yield from _stretch(calls, start, end)

    def _calls(self, tenant: str, part: Part) -> Calls:
        found = Calls()
        for batch in self._ledger.event_batches(tenant, part=part):
            found.offsets += batch.column("offset").to_pylist()
            found.indexes += batch.column("index").to_pylist()
            found.received_ms += _ms(batch.column("received_at"))
            found.events += events_of(batch)
        return found

    def _activated(self, last: int, tenant: str | None = None) -> Mapping[str, list["Begun"]]:
        part = Part(*self.source, 0, last)
        named = {file.partition["tenant"] for file in self._activations}
        return {
            each: [
                Begun(placed.place.offset or 0, received, placed.activation)
                for batch in self._ledger.activation_batches(each, part=part)
                for placed, received in zip(activations_of(batch), _ms(batch.column("received_at")), strict=True)
            ]
            for each in sorted(named)
            if tenant in (None, each)
        }

    def _tenants(self) -> list[str]:
        return sorted({file.partition["tenant"] for file in self._events})

    def _files(self, name: TableName) -> list[DataFile]:
        return [file for file in self._ledger.files(name) if file.source == self.source]

    def _cuts(self, first: int, last: int, tenant: str | None) -> list[int]:
        """Where to cut ``[first, last]`` so that each part has about ``ROWS`` rows, if each file's are even."""
        files = [file for file in self._events if tenant in (None, file.partition["tenant"])]
        cuts, rows = [first], 0
        for offset, count in sorted(piece for file in files for piece in _pieces(file)):
            if rows + count > ROWS and cuts[-1] < offset <= last:
                cuts.append(offset)
                rows = 0
            if first <= offset:
                rows += count
        return cuts


class Begun(NamedTuple):
    """An activation at offset ``place``, as the broker took it at ``received_ms``."""

    place: int
    received_ms: int
    activation: Activation


def _pieces(file: DataFile) -> Iterator[tuple[int, int]]:
    """A file as pieces of at most half of ``ROWS`` rows, each with the offset where it may begin."""
    low, high = file.least["offset"], file.greatest["offset"] + 1
    count = 1 + 2 * file.rows // ROWS
    return ((low + (high - low) * i // count, file.rows // count) for i in range(count))


def _stretch(calls: Mapping[str, Calls], start: int, end: int) -> Iterator[Stretch]:
    """One stretch of what stands in ``[start, end)``, or none where nothing does."""
    found = Stretch(end - 1, 0)
    for tenant, each in calls.items():
        low, high = bisect_left(each.offsets, start), bisect_left(each.offsets, end)
        if low < high:
            found.calls[tenant] = each.take(range(low, high))
            found.received_ms = max(found.received_ms, each.received_ms[high - 1])
    if found.calls:
        yield found


def _ms(column: pa.Array) -> list[int]:
    milliseconds: list[int] = column.cast(pa.int64()).to_pylist()
    return milliseconds
