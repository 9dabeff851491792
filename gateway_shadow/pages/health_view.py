"""How the stream is, as the ledger shows it: what was recorded, judged and set aside, by what the Delta log says of its
files; no row is read."""

from datetime import datetime
from typing import NamedTuple

from spendgate.ledger.delta_files import DataFile
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import TableName


class Health(NamedTuple):
    """Rows, and the time of the latest event that was recorded, and of the latest that was judged."""

    events: int
    decisions: int
    rejected: int
    last_event: datetime | None
    last_decided: datetime | None

    @property
    def behind_s(self) -> float | None:
        """By how much the latest judged call is older than the latest recorded event; None where that is unknown."""
        if self.last_event is None or self.last_decided is None:
            return None
        return max(0.0, (self.last_event - self.last_decided).total_seconds())


def health(ledger: Ledger, tenant: str) -> Health:
    """Of one tenant. Raises LedgerError."""
    events, decisions, rejected = (_files(ledger, name, tenant) for name in ("events", "decisions", "rejections"))
    return Health(
        _rows(events), _rows(decisions), _rows(rejected), _latest(events, "time"), _latest(decisions, "event_time")
    )


def _files(ledger: Ledger, name: TableName, tenant: str) -> list[DataFile]:
    return ledger.files_of(name, tenant)


def _rows(files: list[DataFile]) -> int:
    return sum(each.rows for each in files)


def _latest(files: list[DataFile], column: str) -> datetime | None:
    return max((found for each in files if (found := each.greatest.get(column)) is not None), default=None)
