"""Decisions into Arrow columns and back, exactly."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, islice
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from spendgate.ledger.arrow_values import values_of
from spendgate.ledger.event_rows import Place
from spendgate.ledger.record_columns import DECISIONS, REASON
from spendgate.model.decision import Decision, Judged, Position, Reason

_PLAIN = ("decision_id", "tenant", "source", "event_id", "event_time", "decided_at", "verdict", "engine_version",
          "cost_nano_usd", "check_id")  # fmt: skip
_SAID = [name for name in DECISIONS.names[5:] if name != "reasons"]
_REASON_FIELDS = Reason.__struct_fields__
_fields_of = msgspec.structs.astuple


class _Row(NamedTuple):
    """A decision's columns other than its place, by the names of ``DECISIONS``."""

    decision_id: str
    tenant: str
    source: str
    event_id: str
    event_time: Any
    decided_at: Any
    position_topic: str
    position_partition: int
    position_offset: int
    position_index: int
    verdict: str
    engine_version: str
    cost_nano_usd: int | None
    check_id: str | None
    marks: tuple[str, ...]
    judged_rules: int
    judged_set: str


def decision_batch_of(decisions: Sequence[Decision], places: Sequence[Place]) -> pa.RecordBatch:
    """The decisions as rows of ``DECISIONS``; ``places``: where each stands on its own topic.

    Raises ValueError where the numbers of decisions and places differ.
    """
    if len(places) != len(decisions):
        raise ValueError(f"places: expected {len(decisions)}, one a decision")
    rows = [(*_fields_of(place)[:5], *_row(decision)) for place, decision in zip(places, decisions, strict=True)]
    by_column: Iterable[Any] = zip(*rows, strict=True) if rows else [()] * (len(DECISIONS) - 1)
    plain = [pa.array(values, field.type) for values, field in zip(by_column, list(DECISIONS)[:-1], strict=True)]
    return pa.RecordBatch.from_arrays([*plain, _reasons(decisions)], schema=DECISIONS)


def _row(decision: Decision) -> _Row:
    at, judged = decision.position, decision.judged
    return _Row(
        decision.decision_id, decision.tenant, decision.source, decision.event_id, decision.event_time,
        decision.decided_at, at.topic, at.partition, at.offset, at.index, decision.verdict, decision.engine_version,
        decision.cost_nano_usd, decision.check_id, decision.marks, judged.rules, judged.set,
    )  # fmt: skip


def _reasons(decisions: Sequence[Decision]) -> pa.Array:
    reasons = [_fields_of(reason) for decision in decisions for reason in decision.reasons]
    by_field: Iterable[Any] = zip(*reasons, strict=True) if reasons else [()] * len(_REASON_FIELDS)
    children = [pa.array(values, field.type) for values, field in zip(by_field, REASON, strict=True)]
    ends = accumulate((len(decision.reasons) for decision in decisions), initial=0)
    return pa.ListArray.from_arrays(
        pa.array(ends, pa.int32()), pa.StructArray.from_arrays(children, fields=list(REASON)), type=pa.list_(REASON)
    )


def decisions_of(batch: pa.RecordBatch) -> list[Decision]:
    """The decisions of a batch that has all columns of ``DECISIONS`` but, if it wants, their own places."""
    column = {name: values_of(batch.column(name)) for name in _SAID}
    positions = map(Position, *(column[f"position_{name}"] for name in Position.__struct_fields__))
    judged = map(Judged, column["judged_rules"], column["judged_set"])
    reasons = _reasons_of(batch.column("reasons"))
    plain = zip(*(column[name] for name in _PLAIN), strict=True)
    return [
        Decision(position=at, judged=by, marks=tuple(marks), reasons=why, **dict(zip(_PLAIN, values, strict=True)))
        for values, at, by, marks, why in zip(plain, positions, judged, column["marks"], reasons, strict=True)
    ]


def _reasons_of(column: pa.Array) -> Iterable[tuple[Reason, ...]]:
    flat = column.flatten()
    children = [values_of(child) for child in flat.flatten()]
    every = chain(_reason(values) for values in zip(*children, strict=True))
    return (tuple(islice(every, length)) for length in column.value_lengths().to_pylist())


def _reason(values: tuple[Any, ...]) -> Reason:
    told = dict(zip(_REASON_FIELDS, values, strict=True))
    return Reason(**{**told, "alerts": tuple(told["alerts"])})
