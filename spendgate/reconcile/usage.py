"""What the ledger says that a tenant has spent, by vendor, model and day, as later corrections have it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from spendgate.engine.rules import Int
from spendgate.engine.windows import Calendar, CalendarTable
from spendgate.ledger.amendments import COLUMNS, UNSTATED, Amendments, amendments, marked_calls
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.ledger.delta_reader import Ledger, Part

_COLUMNS = ("kind", "time", "received_at", "duplicate", "vendor", "model", "cost_nano_usd")
_US_PER_MS = 1000
_UNPRICED = -1


@dataclass(slots=True)
class Spent:
    """Of one vendor's model on one day: nano-USD of the priced calls, all calls, and those without a price."""

    nano_usd: int = 0
    calls: int = 0
    unpriced: int = 0

    def add(self, other: "Spent") -> None:
        """Take another's sums."""
        self.nano_usd += other.nano_usd
        self.calls += other.calls
        self.unpriced += other.unpriced


class UsageKey(NamedTuple):
    """``start_ms``: when the day (or month) of the calendar begins."""

    start_ms: int
    vendor: str | None
    model: str | None


@dataclass(slots=True)
class Usage:
    """``first_ms`` and ``last_ms``: the broker's times of the first and the last record of the ledger, 0 without."""

    calendar: CalendarTable
    spent: dict[UsageKey, Spent] = field(default_factory=dict)
    first_ms: int = 0
    last_ms: int = 0

    def take(self, batch: Any, amended: Amendments) -> None:
        """Add the calls of a batch; duplicates and annotations are none."""
        is_call = pc.and_(pc.equal(batch["kind"], "call"), pc.invert(batch["duplicate"]))
        rows = np.flatnonzero(is_call.to_numpy(zero_copy_only=False))
        self._see(batch["received_at"].cast("int64").to_numpy(zero_copy_only=False))
        if not len(rows):
            return
        costs = pc.fill_null(batch["cost_nano_usd"], _UNPRICED).to_numpy(zero_copy_only=False).copy()
        stated = amended.cost != UNSTATED
        costs[amended.rows[stated]] = amended.cost[stated]
        time_ms = batch["time"].cast("int64").to_numpy(zero_copy_only=False)[rows] // _US_PER_MS
        vendors, models = (dictionary_of(batch[name]) for name in ("vendor", "model"))
        keys = np.stack([self._starts(time_ms), vendors[0][rows], models[0][rows]])
        for (start, vendor, model), spent in _grouped(keys, costs[rows]):
            self.spent.setdefault(UsageKey(start, vendors[1][vendor], models[1][model]), Spent()).add(spent)

    def _see(self, received_ms: Int) -> None:
        if len(received_ms):
            first = int(received_ms.min())
            self.first_ms = first if not self.last_ms else min(self.first_ms, first)
            self.last_ms = max(self.last_ms, int(received_ms.max()))

    def _starts(self, time_ms: Int) -> Int:
        self.calendar.cover(int(time_ms.min()), int(time_ms.max()))
        found: Int = self.calendar.starts[np.searchsorted(self.calendar.starts, time_ms, side="right") - 1]
        return found


def _grouped(keys: Int, costs: Int) -> Iterator[tuple[list[int], Spent]]:
    """Calls by their keys (a column each), summed exactly."""
    groups, of_call = np.unique(keys, axis=1, return_inverse=True)
    sums, counts, unpriced = (np.zeros(groups.shape[1], np.int64) for _ in range(3))
    of_call = of_call.reshape(-1)
    np.add.at(sums, of_call, np.maximum(costs, 0))
    np.add.at(counts, of_call, 1)
    np.add.at(unpriced, of_call, (costs == _UNPRICED).astype(np.int64))
    for key, *values in zip(groups.T.tolist(), sums.tolist(), counts.tolist(), unpriced.tolist(), strict=True):
        yield key, Spent(*values)


def usage_of(ledger: Ledger, tenant: str, calendar: Calendar) -> Usage:
    """A tenant's spending as the log recorded it, by the calls' own time; imports are no part of it.

    Raises LedgerError.
    """
    usage = Usage(CalendarTable.empty(calendar))
    files = [file for file in ledger.files("events") if file.partition["tenant"] == tenant]
    for source in sorted({file.source for file in files if file.source is not None}):
        part, row = Part(*source), 0
        first, again = _batches(ledger, tenant, COLUMNS, part), _batches(ledger, tenant, COLUMNS, part)
        amended = amendments(first, again, marked_calls)
        for batch in _batches(ledger, tenant, _COLUMNS, part):
            usage.take(batch, amended.between(row, row + batch.num_rows))
            row += batch.num_rows
    return usage


def _batches(ledger: Ledger, tenant: str, columns: tuple[str, ...], part: Part) -> Iterator[Any]:
    texts = [name for name in ("kind", "vendor", "model", "outcome", "evidence_status", "source") if name in columns]
    return ledger.event_batches(tenant, columns, part=part, dictionaries=texts)
