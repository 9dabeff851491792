"""Decisions for the tests of the store and the door, as a worker writes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spendgate.model.decision import Decision, Judged, Position, Reason, encode_decisions
from tests.store.scenes import TENANT

AT = datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)
"""The instant of the store's clock in these tests."""


def reason(policy: str = "gate", **fields: Any) -> Reason:
    """One that wants a review, or what ``fields`` make of it."""
    said = {
        "policy": policy, "staging": f"stg-{policy}", "stage": "shadow", "rule": 0, "kind": "review",
        "verdict": "review", "code": "review_required",
    }  # fmt: skip
    return Reason(**{**said, **fields})


def over(policy: str = "cap", verdict: str = "review", **fields: Any) -> Reason:
    """A budget whose cap is breached."""
    said = {
        "kind": "budget", "verdict": verdict, "code": "over_cap", "counter": "team=red employee=(none)",
        "window_start": AT.replace(day=1, hour=0, minute=0, second=0),
        "window_end": AT.replace(month=6, day=1, hour=0, minute=0, second=0), "limit_nano_usd": 5 * 10**9,
        "used_before_nano_usd": 4 * 10**9, "recorded_before_nano_usd": 4 * 10**9, "overage_nano_usd": 10**9,
    }  # fmt: skip
    return reason(policy, **{**said, **fields})


def decision(number: int, *reasons: Reason, tenant: str = TENANT, at: datetime = AT, **fields: Any) -> Decision:
    """A call's decision; its verdict is the worst of its reasons."""
    order = ("approve", "warn", "review", "deny")
    worst = max((each.verdict for each in reasons), key=order.index, default="approve")
    said = {
        "decision_id": f"{tenant}-{number:x}", "tenant": tenant, "source": "app", "event_id": f"call-{number}",
        "event_time": at - timedelta(seconds=1), "decided_at": at, "position": Position("log", 0, number, 0),
        "verdict": worst, "engine_version": "1", "judged": Judged(len(reasons), "set"), "cost_nano_usd": 2 * 10**9,
        "reasons": reasons,
    }  # fmt: skip
    return Decision(**{**said, **fields})


def message(*decisions: Decision) -> bytes:
    """A message of ``spend.decisions``."""
    return encode_decisions(decisions)
