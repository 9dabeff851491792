"""Decisions, checks, rejections, activations and checkpoints as Arrow columns, beside the events of
``spendgate.ledger.columns``."""

import pyarrow as pa

from spendgate.ledger.columns import PLACE, TIME

_TEXT, _MONEY = pa.string(), pa.int64()
_RECORD_PLACE = [field for field in PLACE if field.name != "duplicate"]

REASON = pa.struct(
    [
        *((name, _TEXT) for name in ("policy", "staging", "stage")),
        ("rule", pa.int32()),
        *((name, _TEXT) for name in ("kind", "verdict", "code", "counter")),
        *((name, TIME) for name in ("window_start", "window_end")),
        *((f"{name}_nano_usd", _MONEY) for name in ("limit", "used_before", "recorded_before", "remaining", "overage")),
        ("reset_at", TIME),
        ("alerts", pa.list_(pa.int32())),
    ]
)
"""The fields of ``spendgate.model.decision.Reason``, in its order."""

DECISIONS = pa.schema(
    [
        *_RECORD_PLACE,
        *((name, _TEXT) for name in ("decision_id", "tenant", "source", "event_id")),
        ("event_time", TIME),
        ("decided_at", TIME),
        ("position_topic", _TEXT),
        ("position_partition", pa.int32()),
        ("position_offset", pa.int64()),
        ("position_index", pa.int32()),
        ("verdict", _TEXT),
        ("engine_version", _TEXT),
        ("cost_nano_usd", _MONEY),
        ("check_id", _TEXT),
        ("marks", pa.list_(_TEXT)),
        ("judged_rules", pa.int32()),
        ("judged_set", _TEXT),
        ("reasons", pa.list_(REASON)),
    ]
)
"""One row a decision. The place is the decision's own on its topic; ``position_*`` is the call's."""

CHECKS = pa.schema(
    [
        *_RECORD_PLACE,
        *((name, _TEXT) for name in ("check_id", "tenant")),
        ("time", TIME),
        *((name, _TEXT) for name in ("vendor", "model")),
        ("estimate_nano_usd", _MONEY),
        ("would_be", _TEXT),
        ("applied", pa.int64()),
        ("fault", _TEXT),
        ("encoded", pa.binary()),
    ]
)
"""One row a pre-call check; ``encoded`` is the record as it stood on its topic, byte for byte, reasons and all."""

REJECTIONS = pa.schema(
    [
        *_RECORD_PLACE,
        ("tenant", _TEXT),
        ("position_topic", _TEXT),
        ("position_partition", pa.int32()),
        ("position_offset", pa.int64()),
        ("position_index", pa.int32()),
        ("rejected_at", TIME),
        *((name, _TEXT) for name in ("reason", "field", "expected")),
    ]
)
"""One row a record that was set aside; ``position_*``: where that stands, ``rejected_at``: when the broker took it. Its
tenant is ``(none)`` where its key is no name."""

ACTIVATIONS = pa.schema(
    [
        *_RECORD_PLACE,
        *((name, _TEXT) for name in ("id", "tenant")),
        ("time", TIME),
        *((name, _TEXT) for name in ("action", "staging", "policy", "hash", "stage")),
        ("encoded", pa.binary()),
    ]
)
"""One row an activation; ``encoded`` is the record as it stood in the log, byte for byte."""

CHECKPOINTS = pa.schema(
    [
        ("topic_id", _TEXT),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("tenant", _TEXT),
        ("made_at", TIME),
        ("engine_version", _TEXT),
        ("state", pa.binary()),
    ]
)
"""One row a tenant of a partition: ``state`` is all that the mark at ``offset`` covers, as its writer encoded it."""
