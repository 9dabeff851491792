"""What the enforcement agent counts; no label has more values than are listed here."""

from typing import get_args

from prometheus_client import Counter, Gauge

from spendgate.model.enforcement_record import EnforcementKind

LEASES = Gauge("spendgate_leases", "Leases that are being renewed by this agent")
WOULD_BLOCK = Counter(
    "spendgate_would_block_calls", "Calls that enforcing would have blocked, by verdict and why it did not",
    ["verdict", "why"],
)  # fmt: skip
CHANGES = Counter("spendgate_enforcement_changes", "Leases begun and ended, doubts, reservations expired", ["kind"])
FLAG_AGE = Gauge("spendgate_flag_age_seconds", "How long ago the flag was last read")
RESERVED_DOUBTED = Gauge("spendgate_reservations_doubted", "Partitions whose reservations may have been lost")
for _kind in get_args(EnforcementKind):
    CHANGES.labels(_kind)  # from 0 on, so that the first is seen
