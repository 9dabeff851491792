"""Whole batches of our own columns, checked column by column: what the row reader would take, without its rows.

A batch with a single value that is in doubt is given back, and goes to the row reader, which says what is wrong where.
"""

from collections.abc import Mapping
from typing import Any, get_args

import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.columns import EVENT_FIELDS, EVENTS
from spendgate.ledger.reader_options import DEFAULT_TENANT, ReadOptions
from spendgate.ledger.reader_problem import EARLIEST, LATEST
from spendgate.model.event import CostSource, EvidenceStatus, Kind, Outcome, PrivacyMode
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.text import ALLOWED_CHARS, MAX_CHARS

_UNIQUE = ("id", "refers_to", "check_id", "evidence_id", "prompt_fingerprint", "response_fingerprint")
REPEATING = [field.name for field in EVENT_FIELDS if pa.types.is_string(field.type) and field.name not in _UNIQUE]
"""Texts that few rows differ in; best read as dictionaries."""
_NAME = "^[" + "".join(f"\\x{ord(char):02x}" for char in ALLOWED_CHARS) + "]{1," + str(MAX_CHARS) + "}$"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "cost_source": get_args(CostSource),
    "outcome": get_args(Outcome),
    "evidence_status": get_args(EvidenceStatus),
    "privacy_mode": get_args(PrivacyMode),
}
_COSTS = ("cost_nano_usd", "estimate_nano_usd")
_MAX_COUNT = 2**53 - 1


def is_own(schema: pa.Schema, mapping: Mapping[str, str]) -> bool:
    """Whether a file's columns are ours by name and by type, so that its batches may be taken whole."""
    return {"id", "time"} <= mapping.keys() and all(
        field == column and field in EVENT_FIELDS.names and _fits(schema.field(column).type, field)
        for field, column in mapping.items()
    )


def _fits(kind: Any, field: str) -> bool:
    wanted = EVENT_FIELDS.field(field).type
    if pa.types.is_timestamp(wanted):
        return bool(pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit != "ns")
    if pa.types.is_string(wanted):
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))
    same: bool = kind == wanted
    return same


def as_events(batch: pa.RecordBatch, options: ReadOptions) -> pa.RecordBatch | None:
    """The rows as ``columns.EVENTS`` (texts may be dictionaries), each as the row reader would give it; None if the
    row reader might refuse one of them. ``batch``: columns for which ``is_own`` holds."""
    columns = {name: _plain(batch.column(name), name) for name in batch.schema.names}
    if columns["id"].null_count or columns["time"].null_count:
        return None
    for name, default in (("kind", "call"), ("source", options.source), ("tenant", DEFAULT_TENANT)):
        columns[name] = _filled(columns.get(name), default, batch.num_rows)
    if not all(_is_valid(name, column) for name, column in columns.items()) or not _agree(columns, batch.num_rows):
        return None
    if options.tenant is not None:
        columns["tenant"] = _same(options.tenant, batch.num_rows)
    return _laid_out(columns, batch.num_rows)


def _plain(column: pa.Array, name: str) -> pa.Array:
    wanted = EVENT_FIELDS.field(name).type
    if pa.types.is_dictionary(column.type):
        return column if pa.types.is_string(column.type.value_type) else column.dictionary_decode().cast(wanted)
    return column if column.type == wanted else column.cast(wanted)


def _filled(column: pa.Array | None, default: str, rows: int) -> pa.Array:
    if column is None:
        return _same(default, rows)
    return pc.fill_null(column, default) if column.null_count else column


def _same(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), pa.array([value]))


def _is_valid(name: str, column: pa.Array) -> bool:
    if column.null_count == len(column):
        return True
    if pa.types.is_timestamp(column.type):
        return _within(column, EARLIEST, LATEST)
    if pa.types.is_integer(column.type):
        return _within(column, 0, 1 + (MAX_COST_NANO_USD if name in _COSTS else _MAX_COUNT))
    if pa.types.is_boolean(column.type):
        return True
    values = column.dictionary if pa.types.is_dictionary(column.type) else column
    valid = pc.is_in(values, pa.array(_WORDS[name])) if name in _WORDS else pc.match_substring_regex(values, _NAME)
    return bool(pc.all(valid, min_count=0).as_py())


def _within(column: pa.Array, least: Any, below: Any) -> bool:
    bounds = pc.min_max(column)
    low = pc.greater_equal(bounds["min"], pa.scalar(least, column.type))
    return bool(low.as_py() and pc.less(bounds["max"], pa.scalar(below, column.type)).as_py())


def _agree(columns: dict[str, pa.Array], rows: int) -> bool:
    """Whether fields that say something together do so in every row; fills in where a call's cost comes from."""
    cost = columns.get("cost_nano_usd", pa.nulls(rows, pa.int64()))
    priced, is_call = pc.is_valid(cost), pc.equal(columns["kind"], "call")
    said = columns.get("cost_source")
    stated = pa.nulls(rows, pa.string()) if said is None else said.cast(pa.string())
    if pc.any(pc.equal(pc.equal(stated, "unpriced"), priced), min_count=0).as_py():
        return False
    derived = pc.if_else(is_call, pc.if_else(priced, "provided", "unpriced"), pa.scalar(None, pa.string()))
    columns["cost_source"] = pc.coalesce(stated, derived)
    return bool(pc.all(is_call, min_count=0).as_py()) or _annotations_agree(columns, priced, is_call, rows)


def _annotations_agree(columns: Mapping[str, pa.Array], priced: Any, is_call: Any, rows: int) -> bool:
    there = {
        name: pc.is_valid(columns.get(name, pa.nulls(rows, pa.string())))
        for name in ("refers_to", "outcome", "evidence_status")
    }
    is_correction = pc.equal(columns["kind"], "correction")
    ended = pc.or_(there["outcome"], there["evidence_status"])
    told = pc.and_(there["refers_to"], pc.if_else(is_correction, priced, ended))
    return bool(pc.all(pc.or_(is_call, told), min_count=0).as_py())


def _laid_out(columns: Mapping[str, pa.Array], rows: int) -> pa.RecordBatch:
    no = pa.repeat(pa.scalar(False), rows)
    made = [
        no if field.name == "duplicate" else columns.get(field.name, pa.nulls(rows, field.type)) for field in EVENTS
    ]
    fields = [field.with_type(column.type) for field, column in zip(EVENTS, made, strict=True)]
    return pa.RecordBatch.from_arrays(made, schema=pa.schema(fields))
