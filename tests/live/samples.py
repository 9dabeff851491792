"""Policies and calls of these tests; caps are such that every verdict occurs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from spendgate.ledger.sample import busy_hour
from spendgate.model.event import Event
from spendgate.model.policy import Policy

HOUR_MS = 3_600_000
ZONES = ("UTC", "Europe/Berlin")
"""Where the months of these tests and of the examples begin."""


def policy(name: str, *rules: Mapping[str, Any], **spec: Any) -> Policy:
    """A policy of these rules."""
    return Policy.model_validate(
        {
            "apiVersion": "spendgate/v1",
            "kind": "Policy",
            "metadata": {"name": name},
            "spec": {**spec, "rules": list(rules)},
        }
    )


def budget(
    cap_usd: str, window: Mapping[str, Any], per: Sequence[str] = (), on_breach: str = "deny", **more: Any
) -> dict[str, Any]:
    """A budget rule."""
    return {"budget": {"cap_usd": cap_usd, "window": window, "per": list(per), "on_breach": on_breach, **more}}


def a_day() -> dict[str, str]:
    """A day whose ends are hours away, whatever the hour: what is spent in a test is spent in one window."""
    return {"calendar": "day", "timezone": "UTC" if 3 <= datetime.now(UTC).hour < 21 else "Etc/GMT+6"}


MONTHLY = policy("monthly", budget("1.5", {"calendar": "month"}, ["team"], warn_at_percent=[50, 80]))
EDITED = policy("monthly", budget("2", {"calendar": "month"}, ["team"], warn_at_percent=[50, 80]))
ROLLING = policy(
    "rolling",
    budget("0.2", {"rolling": "24h"}, ["employee"], "review"),
    {"boundary": {"max_cost_usd": "0.05", "on_breach": "deny"}},
)
LIFETIME = policy(
    "lifetime",
    budget("3", {"lifetime": True}),
    budget("1", {"calendar": "day", "timezone": "Asia/Kathmandu"}, ["workflow", "model"], "warn"),
    {"review": {"when": {"cost_usd_over": "0.04"}, "reviewers": "leads", "expires": "72h"}},
)
POLICIES = (MONTHLY, ROLLING, LIFETIME)


def calls(count: int, seed: int, tenant: str) -> list[Event]:
    """A busy hour up to now: calls, repeats and outcomes.

    Where a month has begun within it, the hour is pressed into what has passed since: what it comes to is the same
    whenever it is sent.
    """
    now = datetime.now(UTC)
    begin, month = now - timedelta(minutes=61), max(map(_this_month, ZONES))
    events = list(busy_hour(count, seed, begin, tenant))
    if month > begin:
        for each in events:
            each.time = month + (each.time - begin) * ((now - month) / (now - begin))
    return events


def _this_month(zone: str) -> datetime:
    """When it began there."""
    return datetime.now(ZoneInfo(zone)).replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def call(tenant: str, number: int | str, at: datetime, cost_nano_usd: int | None = 1_000_000) -> Event:
    """One call."""
    return Event(
        id=f"call-{number}",
        source="test",
        tenant=tenant,
        time=at,
        team="red",
        employee="ann",
        workflow="chat",
        vendor="openai",
        model="gpt",
        cost_nano_usd=cost_nano_usd,
    )


def ms(at: datetime) -> int:
    """Milliseconds since the epoch."""
    return int(at.timestamp() * 1000)
