"""Exports read back as the documents of the pages, each format by readers of its own."""

import csv
import json
from datetime import datetime
from io import BytesIO, StringIO
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from spendgate.ledger.columns import EVENT_FIELDS, EVENTS
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.event_documents import documents_of
from spendgate.ledger.export_formats import Exported, Format
from spendgate.ledger.record_columns import DECISIONS
from spendgate.model.decision import Decision, Position, Reason

FORMATS: tuple[Format, ...] = ("parquet", "csv", "jsonl")


def documents(raw: bytes, format_: str, table: Exported) -> list[Any]:
    """Its rows as the pages' JSON has them."""
    match format_:
        case "parquet":
            return _of_parquet(raw, table)
        case "jsonl":
            return [json.loads(line) for line in raw.splitlines()]
    rows = csv.DictReader(StringIO(raw.decode()))
    return [_event(row) if table == "events" else _decision(row) for row in rows]


def _of_parquet(raw: bytes, table: Exported) -> list[Any]:
    read = pq.read_table(BytesIO(raw))
    assert read.schema.equals(EVENTS if table == "events" else DECISIONS, check_metadata=False)
    batches = read.to_batches()
    if table == "events":
        return [each for batch in batches for each in documents_of(batch)]
    return [plain(each) for batch in batches for each in decisions_of(batch)]


def plain(decision: Decision) -> Any:
    """As JSON."""
    return json.loads(msgspec.json.encode(decision))


def text_of(cell: str) -> str | None:
    """A text as it was: none for an empty cell, and without the apostrophe that keeps it from being a formula."""
    assert cell[:1] not in tuple("=+-@\t\r"), cell
    return cell.removeprefix("'") or None


def _value(cell: str, kind: pa.DataType) -> Any:
    if cell == "":
        return None
    if pa.types.is_integer(kind):
        return int(cell)
    if pa.types.is_boolean(kind):
        return {"true": True, "false": False}[cell]
    return instant(cell) if pa.types.is_timestamp(kind) else text_of(cell)


def instant(text: str) -> str:
    """Without zeros at the end of the seconds."""
    seconds, _, rest = text.removesuffix("Z").partition(".")
    return f"{seconds}.{rest.rstrip('0')}Z" if rest.strip("0") else f"{seconds}Z"


def comparable(rows: list[Any]) -> list[Any]:
    """Rows with instants as texts of one form, wherever they came from."""
    return [{name: _comparable(name, value) for name, value in row.items()} for row in rows]


def _comparable(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        value = value.isoformat().replace("+00:00", "Z")
    is_instant = name == "time" or name.endswith(("_at", "_time"))
    return instant(value) if is_instant and value is not None else value


def _event(row: dict[str, str]) -> dict[str, Any]:
    values = {field.name: _value(row[field.name], field.type) for field in EVENTS}
    place = {name: values[name] for name in ("topic_id", "partition", "offset", "index")}
    said = {field.name: values[field.name] for field in EVENT_FIELDS if values[field.name] is not None}
    position = None if place["offset"] is None else place
    return {**said, "received_at": values["received_at"], "duplicate": values["duplicate"], "position": position}


def _decision(row: dict[str, str]) -> Any:
    values = {field.name: _value(row[field.name], field.type) for field in DECISIONS if field.name not in _NESTED}
    fields = {name: values[name] for name in Decision.__struct_fields__ if name in values}
    position = Position(*(values[f"position_{name}"] for name in Position.__struct_fields__))
    judged = {"rules": values["judged_rules"], "set": values["judged_set"]}
    reasons = msgspec.json.decode(row["reasons"], type=list[Reason])
    document = {**fields, "position": position, "judged": judged, "marks": row["marks"].split(), "reasons": reasons}
    return plain(msgspec.convert(document, Decision, from_attributes=True))


_NESTED = ("marks", "reasons")
