"""What a process that simulates keeps between drafts: the history that they pass, read once a version of the ledger.

It is asked for by that version and by the days, so a report is the same bytes with it or without.
"""

from collections import OrderedDict
from typing import Any

from spendgate.simulate.history import History
from spendgate.simulate.job import Job, history_of
from spendgate.simulate.remembered import Remembered

MOST_ROWS = 2_000_000
"""Of all kept histories together; a million are about a hundred megabytes. A longer history is read anew each time."""


class Memory:
    """The histories of the latest drafts."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._kept: OrderedDict[tuple[Any, ...], tuple[History, int]] = OrderedDict()

    def of(self, job: Job) -> History | None:
        """The history of a job's source, as it was read for the one before."""
        key = _key(job)
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, job: Job, rows: int) -> History | None:
        """A history that is kept from now on, in the place of those used longest ago; None for one that is too long.
        Raises LedgerError."""
        if rows > self._most_rows:
            return None
        while self._kept and rows + sum(kept for _, kept in self._kept.values()) > self._most_rows:
            self._kept.popitem(last=False)
        made = Remembered(history_of(job.source, job.selection, lambda _: None))
        self._kept[_key(job)] = (made, rows)
        return made

    def forget(self) -> None:
        """Keep nothing."""
        self._kept.clear()


def _key(job: Job) -> tuple[Any, ...]:
    where = sorted(job.selection.where.items(), key=str)
    return (job.source.ledger, job.source.version, job.selection.from_, job.selection.to, *where)
