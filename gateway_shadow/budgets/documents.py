"""What the door says of budgets in force. Money in nano-USD."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from spendgate.engine.counter_keys import key_values
from spendgate.model.money import percent_of_nano_usd
from spendgate.model.policy import Budget

Mark = Literal["within", "approaching", "over"]
APPROACHING_PERCENT = 80
"""Of the cap, where a budget does not say from when on it warns."""


class CounterDocument(BaseModel):
    """One counter in its current window. ``counter``: as decisions name it; ``per``: its values, null for an unknown
    one. ``used_nano_usd``: what the policy has admitted, by which it judges; ``recorded_nano_usd``: what was spent.
    ``mark``: ``over`` where either is over the cap, ``approaching`` from the first ``warn_at_percent`` on (80 % where
    there is none)."""

    counter: str
    per: dict[str, str | None]
    used_nano_usd: int
    recorded_nano_usd: int
    remaining_nano_usd: int
    percent: float
    mark: Mark


class BudgetDocument(BaseModel):
    """A budget of a staging in force, and its counters that hold something. A rolling window starts and ends with
    buckets, and gives room little by little: ``resets_at`` is null for it, and for a lifetime. ``not_listed``: how many
    numbers the store holds of a budget that has too many counters to list."""

    policy: str
    staging: str
    stage: str
    rule: int
    scope: dict[str, Any]
    per: list[str]
    cap_nano_usd: int
    on_breach: str
    window: dict[str, Any]
    window_start: datetime | None
    window_end: datetime | None
    resets_at: datetime | None
    counters: list[CounterDocument]
    not_listed: int = 0


class BudgetsDocument(BaseModel):
    """All budgets that judge a tenant's calls. ``latest_received_at``: of the last record that they have counted, which
    stands at ``offset`` or before; null where there is none yet."""

    at: datetime
    latest_received_at: datetime | None
    partition: int
    offset: int | None
    budgets: list[BudgetDocument]


def counter_of(budget: Budget, counter: str, used_nano_usd: int, recorded_nano_usd: int) -> CounterDocument:
    """What a counter's sums come to."""
    cap, most = budget.cap_nano_usd, max(used_nano_usd, recorded_nano_usd)
    return CounterDocument(
        counter=counter, per=key_values(counter), used_nano_usd=used_nano_usd,
        recorded_nano_usd=recorded_nano_usd, remaining_nano_usd=max(0, cap - used_nano_usd),
        percent=round(100 * most / cap, 1) if cap else 100.0, mark=_mark(budget, most),
    )  # fmt: skip


def _mark(budget: Budget, most_nano_usd: int) -> Mark:
    if most_nano_usd > budget.cap_nano_usd:
        return "over"
    first = min(budget.warn_at_percent, default=APPROACHING_PERCENT)
    return "approaching" if most_nano_usd >= percent_of_nano_usd(first, budget.cap_nano_usd) else "within"
