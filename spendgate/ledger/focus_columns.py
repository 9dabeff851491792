"""The columns of our FOCUS cost export: dataset CostAndUsage of FOCUS 1.4, and ``x_`` columns of our own behind them.

Source of names, types and null rules: the FinOps Open Cost and Usage Specification, version 1.4, dataset Cost and Usage
(https://focus.finops.org). Of its conditional columns those are here whose condition holds for a meter of AI calls:
measured usage (Consumed*), units that are priced (Sku*), and tags. Left out, for the meter knows nothing of them:
invoices, unit prices, commitments, contracts, regions, resources, sub accounts, other currencies, split allocations.
"""

import pyarrow as pa

VERSION = "1.4"
SCALE = 9
"""Decimals of a cost in dollars: one nano-USD is the last."""
COST = pa.decimal128(38, SCALE)
QUANTITY = pa.decimal128(38, 0)
_TEXT, _INSTANT = pa.string(), pa.timestamp("s", "UTC")

TAGGED = ("team", "employee", "customer", "project", "feature", "workflow", "agent", "api_key_id")
"""The owners that stand in Tags, by their names in an event: one scheme of user-defined tags, without a prefix."""


def _always(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


FOCUS = pa.schema(
    [
        _always("BilledCost", COST),
        _always("BillingAccountId", _TEXT),
        pa.field("BillingAccountName", _TEXT),
        _always("BillingCurrency", _TEXT),
        _always("BillingPeriodEnd", _INSTANT),
        _always("BillingPeriodStart", _INSTANT),
        _always("ChargeCategory", _TEXT),
        pa.field("ChargeClass", _TEXT),
        pa.field("ChargeDescription", _TEXT),
        _always("ChargeFrequency", _TEXT),
        _always("ChargePeriodEnd", _INSTANT),
        _always("ChargePeriodStart", _INSTANT),
        pa.field("ConsumedQuantity", QUANTITY),
        pa.field("ConsumedUnit", _TEXT),
        _always("ContractedCost", COST),
        _always("EffectiveCost", COST),
        pa.field("HostProviderName", _TEXT),
        _always("InvoiceIssuerName", _TEXT),
        _always("ListCost", COST),
        pa.field("PricingQuantity", QUANTITY),
        pa.field("PricingUnit", _TEXT),
        _always("ServiceCategory", _TEXT),
        _always("ServiceName", _TEXT),
        _always("ServiceProviderName", _TEXT),
        _always("ServiceSubcategory", _TEXT),
        pa.field("SkuId", _TEXT),
        pa.field("SkuMeter", _TEXT),
        pa.field("SkuPriceDetails", _TEXT),
        pa.field("SkuPriceId", _TEXT),
        pa.field("Tags", _TEXT),
    ]
)

OURS = pa.schema(
    [
        pa.field("x_Model", _TEXT),
        pa.field("x_CostSource", _TEXT),
        _always("x_Calls", pa.int64()),
        _always("x_InputTokens", QUANTITY),
        _always("x_OutputTokens", QUANTITY),
        _always("x_CachedInputTokens", QUANTITY),
        _always("x_CorrectedCalls", pa.int64()),
        _always("x_RecordedCost", COST),
    ]
)
"""``x_CorrectedCalls``: calls whose cost a correction has replaced. ``x_RecordedCost``: the sum of the costs as they
were recorded, before corrections; a call that had none counts 0 there."""

OF_A_CALL = pa.schema(
    [
        _always("x_EventId", _TEXT),
        _always("x_EventSource", _TEXT),
        _always("x_EventTime", pa.timestamp("us", "UTC")),
        pa.field("x_ReceivedAt", pa.timestamp("ms", "UTC")),
        pa.field("x_CheckId", _TEXT),
        pa.field("x_Outcome", _TEXT),
    ]
)
"""Behind ``OURS`` where a row is one call."""
