"""What FOCUS 1.4 says of the dataset Cost and Usage, column by column, written down from the specification.

Source: the FinOps Open Cost and Usage Specification 1.4 (https://focus.finops.org), dataset CostAndUsage, its table of
columns with feature level, nullability and data type, the allowed values of each column's page, and the attributes
DateTimeFormat, NumericFormat, KeyValueFormat and UnitFormat. All mandatory and recommended columns stand here, and of
the conditional ones those that our export has.
"""

import re
from typing import Literal, NamedTuple

Level = Literal["Mandatory", "Recommended", "Conditional"]
Kind = Literal["String", "Decimal", "Date/Time", "JSON"]


class Column(NamedTuple):
    """One column of the specification."""

    level: Level
    is_nullable: bool
    kind: Kind
    allowed: frozenset[str] | None = None


def _of(level: Level, is_nullable: bool, kind: Kind = "String", *allowed: str) -> Column:
    return Column(level, is_nullable, kind, frozenset(allowed) if allowed else None)


COLUMNS: dict[str, Column] = {
    "AllocatedMethodDetails": _of("Recommended", True, "JSON"),
    "AvailabilityZone": _of("Recommended", True),
    "BilledCost": _of("Mandatory", False, "Decimal"),
    "BillingAccountId": _of("Mandatory", False),
    "BillingAccountName": _of("Mandatory", True),
    "BillingCurrency": _of("Mandatory", False, "String", "USD"),
    "BillingPeriodEnd": _of("Mandatory", False, "Date/Time"),
    "BillingPeriodStart": _of("Mandatory", False, "Date/Time"),
    "ChargeCategory": _of("Mandatory", False, "String", "Usage", "Purchase", "Tax", "Credit", "Adjustment"),
    "ChargeClass": _of("Mandatory", True, "String", "Correction"),
    "ChargeDescription": _of("Mandatory", True),
    "ChargeFrequency": _of("Recommended", False, "String", "One-Time", "Recurring", "Usage-Based"),
    "ChargePeriodEnd": _of("Mandatory", False, "Date/Time"),
    "ChargePeriodStart": _of("Mandatory", False, "Date/Time"),
    "ConsumedQuantity": _of("Conditional", True, "Decimal"),
    "ConsumedUnit": _of("Conditional", True),
    "ContractedCost": _of("Mandatory", False, "Decimal"),
    "EffectiveCost": _of("Mandatory", False, "Decimal"),
    "HostProviderName": _of("Mandatory", True),
    "InvoiceIssuerName": _of("Mandatory", False),
    "ListCost": _of("Mandatory", False, "Decimal"),
    "PricingQuantity": _of("Mandatory", True, "Decimal"),
    "PricingUnit": _of("Mandatory", True),
    "ServiceCategory": _of(
        "Mandatory", False, "String", "AI and Machine Learning", "Analytics", "Business Applications", "Compute",
        "Databases", "Developer Tools", "Multicloud", "Identity", "Integration", "Internet of Things",
        "Management and Governance", "Media", "Migration", "Mobile", "Networking", "Security", "Storage", "Web",
        "Other",
    ),
    "ServiceName": _of("Mandatory", False),
    "ServiceProviderName": _of("Mandatory", False),
    "ServiceSubcategory": _of(
        "Recommended", False, "String", "AI Platforms", "Bots", "Generative AI", "Machine Learning",
        "Natural Language Processing", "Other (AI and Machine Learning)",
    ),  # of AI and Machine Learning alone
    "SkuId": _of("Conditional", True),
    "SkuMeter": _of("Conditional", True),
    "SkuPriceDetails": _of("Conditional", True, "JSON"),
    "SkuPriceId": _of("Conditional", True),
    "Tags": _of("Conditional", True, "JSON"),
}  # fmt: skip

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
"""DateTimeFormat: UTC, extended ISO 8601, with seconds."""
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE]-?\d+)?")
"""NumericFormat: no sign of a positive number, no separators, no units."""
UNITS = ("Tokens", "Requests")
"""UnitFormat: plural units, of the count-based ones that the specification lists."""
MUST_NOT_BE_NULL_OF_USAGE = ("ConsumedQuantity", "PricingQuantity", "SkuId", "SkuPriceId")
"""Where ChargeCategory is Usage and ChargeClass is not Correction; and with a quantity its unit."""
