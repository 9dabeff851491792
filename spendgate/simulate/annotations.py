"""What later annotations say of the calls of a history, whose duplicates may not be marked yet."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from spendgate.engine.stream import StreamJudge
from spendgate.ledger.amendments import Accepted, Amendments, marked_calls
from spendgate.ledger.amendments import amendments as found_by
from spendgate.simulate.arrow_columns import columns_of, identities_of


def amendments(batches: Iterable[Any], again: Iterable[Any], *, marked: bool) -> Amendments:
    """See ``ledger.amendments``. ``marked``: duplicates are marked already; else they are found."""
    return found_by(batches, again, marked_calls if marked else _finding())


def _finding() -> Accepted:
    judge = StreamJudge([])

    def accepted(batch: Any) -> npt.NDArray[np.bool_]:
        return judge.judge(columns_of(batch, {}), identities_of(batch)).worst >= 0

    return accepted
