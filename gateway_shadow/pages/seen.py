"""Values that calls have really had, for a form to complete: of the tenant's latest events, looked up now and then."""

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pyarrow.compute as pc

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Reading, Selection
from spendgate.model.event import SCOPE_FIELDS

ROWS, MOST_VALUES, KEPT_S, MOST_TENANTS = 200_000, 200, 60.0, 200
Values = dict[str, list[str]]


@dataclass
class Seen:
    """``clock``: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, Values]] = field(default_factory=dict)

    def of(self, tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Values:
        """By field, the most frequent first. Raises what ``read`` does."""
        known = self._known.get(tenant)
        if known is not None and self.clock() - known[0] < KEPT_S:
            return known[1]
        with read() as ledger:
            found = values_of(ledger, tenant)
        if len(self._known) >= MOST_TENANTS:
            self._known.clear()
        self._known[tenant] = (self.clock(), found)
        return found


def values_of(ledger: Ledger, tenant: str) -> Values:
    """Those of the latest rows, and of what was imported."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in SCOPE_FIELDS}
    rows = 0
    for piece in Reading(ledger, Selection("events", tenant, newest_first=True)).pieces():
        _count(counts, piece.columns(SCOPE_FIELDS))
        rows += piece.rows
        if rows >= ROWS:
            break
    for batch in ledger.imported_batches(tenant, SCOPE_FIELDS) if rows < ROWS else ():
        _count(counts, batch)
        rows += batch.num_rows
        if rows >= ROWS:
            break
    return {name: [value for value, _ in each.most_common(MOST_VALUES)] for name, each in counts.items()}


def _count(counts: dict[str, Counter[str]], rows: object) -> None:
    for name, each in counts.items():
        for found in pc.value_counts(rows[name].drop_null()).to_pylist():  # type: ignore[index]
            each[found["values"]] += found["counts"]
