"""Charges as rows of a FOCUS cost export."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from spendgate.ledger.export_formats import Grain
from spendgate.ledger.focus_columns import COST, FOCUS, OF_A_CALL, OURS, QUANTITY, TAGGED

CURRENCY = "USD"
UNKNOWN = "Unknown"
"""Stands where the specification allows no null and the sender of the event did not say."""
_LENGTHS = {"day": timedelta(days=1), "hour": timedelta(hours=1), "call": timedelta(seconds=1)}
_SAME = {
    "BillingCurrency": CURRENCY, "ChargeCategory": "Usage", "ChargeFrequency": "Usage-Based",
    "ServiceCategory": "AI and Machine Learning", "ServiceSubcategory": "Generative AI", "ServiceName": "Model API",
}  # fmt: skip
_METERS = {True: ("Tokens", "Input and output tokens"), False: ("Requests", "Requests")}


def schema_of(grain: Grain) -> pa.Schema:
    """The columns of an export, those of the specification first."""
    return pa.schema([*FOCUS, *OURS, *(OF_A_CALL if grain == "call" else ())])


def focus_rows(found: pa.Table, tenant: str, grain: Grain) -> pa.Table:
    """The rows of ``focus_charges.charges``, or of their sums, as ``schema_of`` has them."""
    rows = found.combine_chunks()
    columns = {**_same(rows, tenant), **_periods(rows, grain), **_costs(rows), **_skus(rows), **_ours(rows)}
    columns["Tags"] = pa.array(_tags(rows), pa.string())
    if grain == "call":
        columns |= {
            "x_EventId": rows["id"], "x_EventSource": rows["source"], "x_EventTime": rows["time"],
            "x_ReceivedAt": rows["received_at"], "x_CheckId": rows["check_id"], "x_Outcome": rows["outcome"],
        }  # fmt: skip
    schema = schema_of(grain)
    missing = {field.name: pa.nulls(rows.num_rows, field.type) for field in schema if field.name not in columns}
    return pa.table({**missing, **columns}).select(schema.names).cast(schema)


def _same(rows: pa.Table, tenant: str) -> dict[str, Any]:
    values = {**_SAME, "BillingAccountId": tenant}
    return {name: pa.repeat(pa.scalar(value), rows.num_rows) for name, value in values.items()}


def _periods(rows: pa.Table, grain: Grain) -> dict[str, Any]:
    start = rows["start"]
    month = pc.floor_temporal(start, unit="month")
    return {
        "ChargePeriodStart": start,
        "ChargePeriodEnd": pc.add(start, pa.scalar(_LENGTHS[grain])).cast(start.type),
        "BillingPeriodStart": month,
        "BillingPeriodEnd": pc.ceil_temporal(month, unit="month", ceil_is_strictly_greater=True),
    }


def _costs(rows: pa.Table) -> dict[str, Any]:
    """The meter knows one cost of a call. Where no unit price is given, the specification has list and contracted cost
    match the billed one; and nothing is paid ahead, so the effective one does too."""
    cost = _dollars(rows["cost"])
    named = dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost)
    return {**named, "x_RecordedCost": _dollars(rows["recorded"])}


def _dollars(nano_usd: pa.ChunkedArray) -> pa.Array:
    """Whole nano-USD as dollars of nine decimals: the same digits, read another way."""
    column = _one(nano_usd).cast(QUANTITY)
    return pa.Array.from_buffers(COST, len(column), column.buffers(), column.null_count, column.offset)


def _one(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _skus(rows: pa.Table) -> dict[str, Any]:
    """What was sold: a vendor's model. Without token counts a call is one request."""
    vendor, model = (pc.fill_null(rows[name], UNKNOWN) for name in ("vendor", "model"))
    quantity = pc.if_else(rows["in_tokens"], rows["tokens"], rows["calls"])
    unit, meter = (pc.if_else(rows["in_tokens"], *(_METERS[known][at] for known in (True, False))) for at in (0, 1))
    sku = pc.binary_join_element_wise(vendor, model, "/")
    return {
        **dict.fromkeys(("ServiceProviderName", "HostProviderName", "InvoiceIssuerName"), vendor),
        **dict.fromkeys(("SkuId", "SkuPriceId"), sku),
        **dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), quantity),
        **dict.fromkeys(("ConsumedUnit", "PricingUnit"), unit),
        "SkuMeter": meter,
        "ChargeDescription": pc.binary_join_element_wise(meter, model, " of "),
    }


def _ours(rows: pa.Table) -> dict[str, Any]:
    return {
        "x_Model": rows["model"], "x_CostSource": rows["cost_source"], "x_Calls": rows["calls"],
        "x_InputTokens": rows["input"], "x_OutputTokens": rows["output"], "x_CachedInputTokens": rows["cached"],
        "x_CorrectedCalls": rows["corrected"],
    }  # fmt: skip


def _tags(rows: pa.Table) -> list[str | None]:
    known: dict[Sequence[str | None], str | None] = {}
    owners = zip(*(rows[name].to_pylist() for name in TAGGED), strict=True)
    return [known[each] if each in known else known.setdefault(each, _json(each)) for each in owners]


def _json(owners: Sequence[str | None]) -> str | None:
    found = {name: value for name, value in zip(TAGGED, owners, strict=True) if value is not None}
    return json.dumps(found, separators=(",", ":")) if found else None
