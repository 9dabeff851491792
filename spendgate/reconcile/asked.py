"""What is asked of a reconciliation, and what was found out beside the ledger's own rows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from spendgate.ledger.delta_verify import Verified
from spendgate.model.reconciliation import CriterionName, Thresholds
from spendgate.model.reconciliation_parts import BillResult, CountersResult, EstimateResult


class Wanted(NamedTuple):
    """Whose decisions, of which policy and staging (None: all), and over which part of the log, by the broker's time
    (ms, half open)."""

    tenant: str
    policy: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None
    staging: str | None = None

    def holds(self, received_ms: int) -> bool:
        """Whether a record of this instant is looked at."""
        return (self.from_ms is None or received_ms >= self.from_ms) and (
            self.to_ms is None or received_ms < self.to_ms
        )

    def names(self, policy: str, staging: str) -> bool:
        """Whether a staging of a policy is looked at."""
        return self.policy in (None, policy) and self.staging in (None, staging)


class Proofs(NamedTuple):
    """Each is None where nobody asked. ``waived``: criteria that do not count, each with the reason. ``verified``: the
    ledger's own proofs, with the topics' offsets where these were asked at ``offsets_at_ms``, after the ledger had been
    opened. ``price_book_hash``: of the book by which the door priced."""

    thresholds: Thresholds = Thresholds()
    waived: Mapping[CriterionName, str] = {}
    verified: Verified | None = None
    offsets_at_ms: int | None = None
    counters: CountersResult | None = None
    bill: BillResult | None = None
    estimates: Sequence[EstimateResult] | None = None
    price_book_hash: str | None = None


NOTHING = Proofs()
"""Only the ledger's own rows."""
