"""What shadow has set aside of a partition, by place: evidence for a decision that is missing."""

import numpy as np

from spendgate.engine.decisions import Source
from spendgate.engine.rules import Int
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.rejection_rows import rejections_of
from spendgate.reconcile.published import places


class Rejections:
    """``places``: those of which something was set aside, ascending."""

    def __init__(self, reasons: dict[int, str]) -> None:
        self._reasons = reasons
        self.places: Int = np.array(sorted(reasons), np.int64)

    def why(self, place: int) -> str | None:
        """The reason, by its name; None where nothing was set aside."""
        return self._reasons.get(place)


def rejections(ledger: Ledger, tenant: str, source: Source) -> Rejections:
    """The rejections under a tenant's key, as far as the ledger holds any. Raises LedgerError."""
    found = [
        each
        for batch in ledger.rejection_batches(tenant)
        for each in rejections_of(batch)
        if (each.position.topic, each.position.partition) == (source.topic, source.partition)
    ]
    at = places(
        np.array([each.position.offset for each in found], np.int64),
        np.array([each.position.index for each in found], np.int64),
    )
    return Rejections(dict(zip(at.tolist(), (each.reason for each in found), strict=True)))
