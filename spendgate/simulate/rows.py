"""One row for each call and policy that looked at it, in a Parquet file that is whole or not there."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.engine.batch import UNKNOWN, Batch
from spendgate.engine.columns import CallColumns
from spendgate.engine.decide import UNPRICED
from spendgate.engine.rules import BUDGET, CALENDAR, ROLLING, Int, Rules
from spendgate.engine.stream import Judged, StreamJudge
from spendgate.engine.stream_exact import ExactJudge
from spendgate.engine.windows import BUCKETS
from spendgate.ledger.columns import PLACE
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import CODES, VERDICTS
from spendgate.model.policy import Policy

_PLACE = [PLACE.field(name) for name in ("topic_id", "partition", "offset", "index")]
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("tenant", "source", "event_id")),
        *_PLACE,
        *((name, pa.string()) for name in ("policy", "version", "staging", "verdict", "code")),
        *((f"{name}_nano_usd", pa.int64()) for name in ("used_before", "recorded_before", "limit")),
        *((name, pa.timestamp("ms", "UTC")) for name in ("window_start", "window_end")),
    ]
)
"""``code``: of the rule that decided, the first of the worst; null where only budgets look and the call is late.
``staging``: null in a simulation. Positions: null for events that were in no log."""
COLUMNS = ("source", "id", "topic_id", "partition", "offset", "index")


class DecisionRows:
    """A listener of a run that is exact. Writes beside ``path``, which takes its name at the end; after an error
    nothing is left."""

    def __init__(self, path: Path, policies: Sequence[Policy]) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._names = pa.array([policy.metadata.name for policy in policies], pa.string())
        self._versions = pa.array([policy_hash(policy) for policy in policies], pa.string())
        self._writer = pq.ParquetWriter(self._part, SCHEMA, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._writer.close()
            if kind is None:
                self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)  # also where a full disk let close fail

    def __call__(self, tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        """Write the rows of a judged batch."""
        if not isinstance(judge, ExactJudge) or judge.batch is None:
            raise TypeError("expected a run with exact=True")
        pairs = deciding(judge.program.rules, judge.batch, judged)
        if len(pairs):
            self._writer.write_table(self._rows(tenant, batch, judge, judge.batch, pairs))

    def _rows(self, tenant: str, batch: Any, judge: StreamJudge, judged: Batch, pairs: Int) -> Any:
        rules = judge.program.rules.rows
        chosen = judged.pairs[pairs]
        rule = rules[chosen["rule"]]
        is_budget = (rule["kind"] == BUDGET) & (chosen["ref"] != UNKNOWN) & (chosen["code"] != UNPRICED)
        late = (rule["kind"] == BUDGET) & (chosen["ref"] == UNKNOWN) & (chosen["verdict"] == 0)
        calls = pa.array(np.searchsorted(judged.first, pairs, side="right") - 1)
        policy = pa.array(rule["policy"])
        start, end = _spans(rule, chosen)
        found = {
            "tenant": pa.array([tenant] * len(pairs), pa.string()),
            "source": batch["source"].take(calls), "event_id": batch["id"].take(calls),
            **{field.name: batch[field.name].take(calls) for field in _PLACE},
            "policy": self._names.take(policy), "version": self._versions.take(policy),
            "staging": pa.nulls(len(pairs), pa.string()),
            "verdict": pa.array(VERDICTS, pa.string()).take(pa.array(chosen["verdict"])),
            "code": pa.array(CODES, pa.string()).take(pa.array(chosen["code"], mask=late)),
            "used_before_nano_usd": _known(chosen["used"], is_budget),
            "recorded_before_nano_usd": _known(chosen["recorded"], is_budget),
            "limit_nano_usd": _known(rule["cap"], is_budget),
            "window_start": _known(start, is_budget & (start != UNKNOWN)),
            "window_end": _known(end, is_budget & (end != UNKNOWN)),
        }  # fmt: skip
        return pa.table([found[f.name].cast(f.type) for f in SCHEMA], schema=SCHEMA)


def _known(values: Int, known: Any) -> Any:
    return pa.array(values, mask=~known)


def _spans(rule: Any, chosen: Any) -> tuple[Int, Int]:
    """Start and end (ms) of each pair's window, UNKNOWN for a lifetime."""
    width, rolling, calendar = rule["width_ms"], rule["window"] == ROLLING, rule["window"] == CALENDAR
    start = np.where(calendar, chosen["window"], np.where(rolling, (chosen["window"] - BUCKETS + 1) * width, UNKNOWN))
    end = np.where(calendar, chosen["window_end"], np.where(rolling, (chosen["window"] + 1) * width, UNKNOWN))
    return start, end


def deciding(rules: Rules, batch: Batch, judged: Judged) -> Int:
    """For each call that was judged and each policy that looked: the first pair of its worst verdict."""
    calls = np.repeat(np.arange(len(batch.calls)), np.diff(batch.first))
    wanted = np.flatnonzero(judged.worst[calls] != UNKNOWN)
    if not len(wanted):
        return wanted
    pairs = batch.pairs[wanted]
    policy, is_budget = rules.rows["policy"][pairs["rule"]], rules.rows["kind"][pairs["rule"]] == BUDGET
    # Of equals, a budget that did not look (the call was late) says less than any rule that did.
    rank = 2 * pairs["verdict"] + (~is_budget | (pairs["ref"] != UNKNOWN) | (pairs["code"] == UNPRICED))
    begins = np.flatnonzero(np.diff(calls[wanted], prepend=-1) | np.diff(policy, prepend=-1))
    worst = np.repeat(np.maximum.reduceat(rank, begins), np.diff(begins, append=len(wanted)))
    at_worst = np.flatnonzero(rank == worst)
    group = np.searchsorted(begins, at_worst, side="right")
    return wanted[at_worst[np.unique(group, return_index=True)[1]]]
