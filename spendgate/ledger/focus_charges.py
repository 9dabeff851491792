"""From events to charges: what a call cost, by its latest correction, and by which columns charges are summed."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.amendments import UNSTATED, Amendments, amended_batch
from spendgate.ledger.export_formats import Grain
from spendgate.ledger.focus_columns import QUANTITY, TAGGED

NEEDED = (
    "topic_id", "duplicate", "kind", "time", "received_at", "id", "source", "vendor", "model", "cost_source",
    "cost_nano_usd", "input_tokens", "output_tokens", "cached_input_tokens", "check_id", "outcome", "evidence_status",
    *TAGGED,
)  # fmt: skip
KEYS = ("start", "vendor", "model", "cost_source", "in_tokens", *TAGGED)
SUMS = ("cost", "recorded", "tokens", "input", "output", "cached", "corrected", "calls")
"""Of a row of charges: nano-USD by corrections and as recorded, tokens (input and output together, and each), and
numbers of calls; all QUANTITY, which no sum of a ledger overflows."""
OF_A_CALL = ("id", "source", "time", "received_at", "check_id", "outcome")


def corrected(batch: pa.RecordBatch, amended: Amendments) -> pa.RecordBatch:
    """The batch as its annotations have it, with the cost as recorded beside it (``recorded``)."""
    recorded = batch["cost_nano_usd"]
    said = amended.cost != UNSTATED
    if said.any():
        costs = pc.fill_null(recorded, UNSTATED).to_numpy(zero_copy_only=False).copy()
        costs[amended.rows[said]] = amended.cost[said]
        column = pa.array(costs, pa.int64(), mask=costs == UNSTATED)
        batch = batch.set_column(batch.schema.get_field_index("cost_nano_usd"), "cost_nano_usd", column)
    return amended_batch(batch, amended).append_column("recorded", recorded)


def is_call(batch: pa.RecordBatch, *, imported: bool) -> Any:
    """Which rows are calls that count: no annotation, no repeat; ``imported``: those too that were never in a log."""
    calls = pc.and_(pc.equal(batch["kind"], "call"), pc.invert(batch["duplicate"]))
    found = calls.to_numpy(zero_copy_only=False)
    return found if imported else found & batch["topic_id"].is_valid().to_numpy(zero_copy_only=False)


def charges(batch: pa.RecordBatch, grain: Grain) -> pa.Table:
    """A row of KEYS and SUMS, and of OF_A_CALL if the grain is a call, for each call of a ``corrected`` batch; all of
    them have a cost."""
    known = pc.or_(batch["input_tokens"].is_valid(), batch["output_tokens"].is_valid())
    changed = pc.invert(pc.equal(pc.fill_null(batch["recorded"], UNSTATED), batch["cost_nano_usd"]))
    sums = {
        "cost": batch["cost_nano_usd"],
        "recorded": batch["recorded"],
        "tokens": pc.add(*(pc.fill_null(batch[name], 0) for name in ("input_tokens", "output_tokens"))),
        "input": batch["input_tokens"],
        "output": batch["output_tokens"],
        "cached": batch["cached_input_tokens"],
        "corrected": changed.cast(pa.int64()),
        "calls": pa.array(np.ones(batch.num_rows, np.int64)),
    }
    keys = {
        "start": _start(batch["time"], grain),
        "in_tokens": known,
        **{name: batch[name] for name in KEYS if name in batch.schema.names},
    }
    only = OF_A_CALL if grain == "call" else ()
    return pa.table(
        {name: keys[name] for name in KEYS}
        | {name: pc.fill_null(sums[name], 0).cast(QUANTITY) for name in SUMS}
        | {name: batch[name] for name in only}
    )


def _start(time: pa.Array, grain: Grain) -> pa.Array:
    return pc.floor_temporal(time, unit="second" if grain == "call" else grain).cast(pa.timestamp("s", "UTC"))
