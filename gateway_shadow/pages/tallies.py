"""Tallies by tenant, kept up to date behind the pages: a page shows the last one with its time, and waits for none."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa

from gateway_shadow.behind import Behind
from gateway_shadow.pages.tally import COLUMNS, SAMPLES, Tally
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_selection import PLACE, Place, Reading, Selection

FRESH_FOR_S = 5.0
TOGETHER = 131_072
"""So many rows are counted at a time: what is left of each counter then is worked out in Python, row by row."""


class _Taken(NamedTuple):
    """A tally that is not added to any more, and the place of the last row that it holds."""

    tally: Tally
    after: Place | None


class Tallies:
    """``now``: aware."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._behind: Behind[_Taken] = Behind("tallies", FRESH_FOR_S)

    def of(self, tenant: str, read: Callable[[], AbstractContextManager[Ledger]]) -> Tally | None:
        """A tenant's tally as last taken; None while the first one is. ``read`` opens the ledger.

        Raises what ``read`` raises.
        """
        taken = self._behind.of(tenant, lambda last: self._take(tenant, last, read))
        return None if taken is None else taken.tally

    def _take(self, tenant: str, last: _Taken | None, read: Callable[[], AbstractContextManager[Ledger]]) -> _Taken:
        tally, after = (Tally(), None) if last is None else (last.tally.copied(), last.after)
        with read() as ledger:
            reading = Reading(ledger, Selection("decisions", tenant, after=after))
            tally.since = self._now() - timedelta(hours=SAMPLES)
            for rows, place in _together(reading):
                tally.add(rows)
                after = place
        tally.taken_at = self._now()
        return _Taken(tally, after)


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
