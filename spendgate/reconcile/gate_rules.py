"""What the gate asks for: the design's defaults, and within which limits an operator may change each."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from spendgate.model.reconciliation import CriterionName, Thresholds

WAIVABLE: tuple[CriterionName, ...] = ("bill", "answers")
"""What an operator may waive for a staging, with a reason: a vendor's bill that there is not, and rules of a policy
without budgets that have never said anything but approve. What was found wrong is never waived."""


class GateRules(BaseModel):
    """A tenant's criteria. The first eight are the thresholds of a reconciliation.

    ``hours``: observed at least. ``near_cap``: so many calls within ``near_cap_percent`` of a cap, or over it.
    ``long_window_days``: so much of a lifetime, or of a window over a month, is enough. ``lag_ms``: within which 99 of
    100 decisions are made. A bucket of the bill may differ by the larger of ``bill_ppm`` (parts per million) of it and
    ``bill_nano_usd``. ``max_age_hours``: how old the latest reconciliation may be. ``certificate_days``: for how long
    after the end of what was observed a certificate holds.

    That nothing is unexplained, and that the ledger is complete, is no number, and cannot be changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: Annotated[int, Field(ge=30, le=10**9, strict=True)] = 1_000
    hours: Annotated[int, Field(ge=1, le=8_784, strict=True)] = 24
    near_cap: Annotated[int, Field(ge=0, le=10**6, strict=True)] = 1
    near_cap_percent: Annotated[int, Field(ge=1, le=50, strict=True)] = 20
    long_window_days: Annotated[int, Field(ge=7, le=366, strict=True)] = 30
    lag_ms: Annotated[int, Field(ge=1_000, le=86_400_000, strict=True)] = 60_000
    bill_ppm: Annotated[int, Field(ge=0, le=50_000, strict=True)] = 5_000
    bill_nano_usd: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 10_000_000
    max_age_hours: Annotated[int, Field(ge=1, le=168, strict=True)] = 24
    certificate_days: Annotated[int, Field(ge=1, le=30, strict=True)] = 7

    @property
    def thresholds(self) -> Thresholds:
        """What a reconciliation is asked to measure against."""
        return Thresholds(**{name: getattr(self, name) for name in Thresholds.__struct_fields__})
