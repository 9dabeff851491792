"""Which value belongs to which, as calls have shown it: a case to the team that all its calls were of.

Read behind the pages, of a tenant's latest events, now and then; a page waits for none.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import Reading, Selection
from spendgate.model.event import SCOPE_FIELDS

ROWS, KEPT_S, WAIT_S, MOST_TENANTS = 200_000, 60.0, 0.04, 200
Pair = tuple[str, str]
"""A field and its value."""
Belonging = Mapping[Pair, Mapping[str, str]]
"""By value what all calls with it had in common, by field."""


@dataclass
class _Kept:
    found: Belonging | None = None
    taken_s: float = float("-inf")
    taking: "Future[Belonging] | None" = None


@dataclass
class Belongings:
    """``clock``: monotonic seconds."""

    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _taking: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "belongings"))

    def of(self, tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Belonging | None:
        """As last read; None while that is done for the first time. Raises what ``read`` raises."""
        with self._lock:
            if len(self._kept) >= MOST_TENANTS and tenant not in self._kept:
                self._kept.clear()
            kept = self._kept.setdefault(tenant, _Kept())
            if kept.taking is None and self.clock() - kept.taken_s >= KEPT_S:
                kept.taking = self._taking.submit(_read, tenant, read)
            taking = kept.taking
        if taking is None:
            return kept.found
        try:
            kept.found, kept.taken_s = taking.result(WAIT_S), self.clock()
            kept.taking = None
        except TooSlow:
            pass
        except BaseException:
            kept.taking = None
            raise
        return kept.found


def _read(tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Belonging:
    tables, rows = [], 0
    with read() as ledger:
        reading = Reading(ledger, Selection("events", tenant, newest_first=True))
        for piece in reading.pieces():
            tables.append(piece.columns((*SCOPE_FIELDS, "kind")))
            rows += piece.rows
            if rows >= ROWS:
                break
    return belonging_of(pa.concat_tables(tables)) if tables else {}


def belonging_of(rows: pa.Table) -> Belonging:
    """What the rows of calls say: of each value of a field the others, where all its calls name one and the same."""
    calls = rows.filter(pc.equal(rows["kind"], "call")).select(list(SCOPE_FIELDS))
    found: dict[Pair, Mapping[str, str]] = {}
    for name in SCOPE_FIELDS:
        others = [each for each in SCOPE_FIELDS if each != name]
        wanted = [(each, how) for each in others for how in ("min", "max", "count")]
        known = calls.filter(pc.is_valid(calls[name]))
        for row in known.group_by(name).aggregate([*wanted, ([], "count_all")]).to_pylist():
            found[name, row[name]] = {
                each: row[f"{each}_min"]
                for each in others
                if row[f"{each}_count"] == row["count_all"] and row[f"{each}_min"] == row[f"{each}_max"]
            }
    return found
