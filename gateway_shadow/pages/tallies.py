"""Tallies by tenant, kept up to date behind the pages: a page shows the last one with its time, and waits for none."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

import pyarrow as pa

from gateway_shadow.pages.tally import COLUMNS, SAMPLES, Tally
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import PLACE, Place, Reading, Selection

FRESH_FOR = timedelta(seconds=5)
WAIT_S = 0.04
"""A page waits so long for a tally that is being taken."""
MOST_TENANTS = 200
TOGETHER = 131_072
"""So many rows are counted at a time: what is left of each counter then is worked out in Python, row by row."""


@dataclass
class _Kept:
    tally: Tally = field(default_factory=Tally)
    shown: Tally | None = None
    after: Place | None = None
    taking: "Future[None] | None" = None


@dataclass
class Tallies:
    """``now``: aware."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _taking: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "tallies"))

    def of(self, tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Tally | None:
        """A tenant's tally as last taken; None while the first one is. ``read`` opens the ledger.

        Raises what ``read`` raises, for a page that would show stale numbers otherwise.
        """
        with self._lock:
            if len(self._kept) >= MOST_TENANTS and tenant not in self._kept:
                self._kept.clear()
            kept = self._kept.setdefault(tenant, _Kept())
            if kept.taking is None and not self._is_fresh(kept):
                kept.taking = self._taking.submit(self._take, tenant, kept, read)
            taking = kept.taking
        if taking is not None:
            try:
                taking.result(WAIT_S)
                kept.taking = None
            except TooSlow:
                pass
            except BaseException:
                kept.taking = None
                raise
        return kept.shown

    def _is_fresh(self, kept: _Kept) -> bool:
        return kept.tally.taken_at is not None and self.now() - kept.tally.taken_at < FRESH_FOR

    def _take(self, tenant: str, kept: _Kept, read: Callable[[], AbstractContextManager[Ledger]]) -> None:
        with read() as ledger:
            reading = Reading(ledger, Selection("decisions", tenant, after=kept.after))
            kept.tally.since = self.now() - timedelta(hours=SAMPLES)
            for rows, after in _together(reading):
                kept.tally.add(rows)
                kept.after = after
        kept.tally.taken_at = self.now()
        kept.shown = kept.tally.copied()


def _together(reading: Reading) -> Iterator[tuple[pa.Table, Place]]:
    """The rows that are new, many pieces at a time, and the place of the last of them."""
    waiting: list[pa.Table] = []
    for piece in reading.pieces():
        hits = reading.hits(piece)
        if len(hits):
            rows = piece.columns(COLUMNS)
            waiting.append(rows if len(hits) == rows.num_rows else rows.take(hits))
        if sum(each.num_rows for each in waiting) >= TOGETHER:
            yield pa.concat_tables(waiting), _place_of_last(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting), _place_of_last(waiting)


def _place_of_last(rows: list[pa.Table]) -> Place:
    return Place(*(rows[-1][name][-1].as_py() for name in PLACE))
