"""Which rows of a file repeat a call that was accepted before them."""

from typing import Any

import numpy as np
import pyarrow as pa

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.rules import Int
from spendgate.engine.stream import StreamJudge
from spendgate.ledger.arrow_values import dictionary_of
from spendgate.ledger.columns import EVENTS
from spendgate.simulate.arrow_columns import columns_of, identities_of, is_annotation

_DUPLICATE = EVENTS.field("duplicate")


class Repeats:
    """Marks the batches of a log, one after the other, as a ledger has them marked; tenants may be mixed."""

    def __init__(self) -> None:
        self._judges: dict[str, StreamJudge] = {}

    def mark(self, batch: Any) -> Any:
        """The batch with its ``duplicate`` column filled."""
        codes, tenants = dictionary_of(batch["tenant"])
        repeated = np.zeros(batch.num_rows, bool)
        for code in np.unique(codes).tolist():
            rows = np.flatnonzero(codes == code)
            part = batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))
            repeated[rows] = self._repeated(str(tenants[code]), part)
        return batch.set_column(batch.schema.get_field_index(_DUPLICATE.name), _DUPLICATE, pa.array(repeated))

    def _repeated(self, tenant: str, batch: Any) -> Int:
        judge = self._judges.get(tenant) or self._judges.setdefault(tenant, StreamJudge([]))
        judged = judge.judge(columns_of(batch, {}), identities_of(batch))
        repeated: Int = (judged.worst == UNKNOWN) & (is_annotation(batch["kind"]) == 0)
        return repeated
