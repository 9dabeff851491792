"""How often the ledger agents do what they do from time to time."""

from dataclasses import dataclass

from spendgate.ledger.retention import KEEP_HOURS


@dataclass(frozen=True, slots=True)
class Pace:
    """When a book is committed: once it has so many rows, or so long after its first message."""

    rows: int = 100_000
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Timer:
    """How often what is done, in seconds; 0 is never. ``keep_hours``: of files that no version names any more."""

    checkpoint_s: float = 3600.0
    compact_s: float = 900.0
    vacuum_s: float = 86_400.0
    keep_hours: int = KEEP_HOURS
