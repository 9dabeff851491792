"""The load of a run: seeded calls of three tenants, and policies whose caps they reach."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Any

import msgspec

from spendgate.ledger.sample import busy_hour
from spendgate.model.event import Event
from spendgate.model.policy import Policy

TENANTS = ("acme", "globex", "initech")
ZONE = "Europe/Berlin"
HOUR = timedelta(hours=1)
MEAN_USD = 0.0115
"""What a call of the sample costs."""


@dataclass(frozen=True, slots=True)
class Span:
    """When the calls of a load were made. ``dated``: records are appended when their calls were made, and not now."""

    start: datetime
    length: timedelta = HOUR
    dated: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Calls of one tenant for one message. ``at_ms``: the time of their record; None: now. ``repeats``: whether
    they are sent again by intent."""

    events: Sequence[Event]
    at_ms: int | None = None
    repeats: bool = False


def up_to_now() -> Span:
    """The hour before now."""
    return Span(datetime.now(UTC) - HOUR - timedelta(minutes=1))


def batches(events: int, seed: int, span: Span, per_message: int) -> list[Batch]:
    """So many records in the order of the log, the tenants in turn."""
    share = events // len(TENANTS)
    each = [list(_batches(share, 10 * seed + n, tenant, span, per_message)) for n, tenant in enumerate(TENANTS)]
    return [batch for batch in chain.from_iterable(zip_longest(*each)) if batch is not None]


def _batches(events: int, seed: int, tenant: str, span: Span, per_message: int) -> Iterator[Batch]:
    calls = [_placed(call, span) for call in busy_hour(events, seed, span.start, tenant)]
    for first in range(0, len(calls), per_message):
        part = calls[first : first + per_message]
        yield Batch(part, _ms(max(call.time for call in part)) if span.dated else None)


def _placed(call: Event, span: Span) -> Event:
    """The call at its place of the span, of which the sample knows an hour."""
    if span.length == HOUR:
        return call
    return msgspec.structs.replace(call, time=span.start + (call.time - span.start) * (span.length / HOUR))


def policies(events: int) -> tuple[Policy, ...]:
    """Three, of which some call reaches every verdict."""
    total = events / len(TENANTS) * MEAN_USD
    return (
        _policy("monthly", _budget(total / 8, {"calendar": "month"}, ["team"], warn_at_percent=[50, 80])),
        _policy(
            "rolling",
            _budget(total / 80, {"rolling": "24h"}, ["employee"], "review"),
            {"boundary": {"max_cost_usd": "0.05", "on_breach": "deny"}},
        ),
        _policy(
            "daily",
            _budget(total / 2, {"lifetime": True}),
            _budget(total / 60, {"calendar": "day", "timezone": ZONE}, ["workflow", "model"], "warn"),
            {"review": {"when": {"cost_usd_over": "0.04"}, "reviewers": "leads", "expires": "72h"}},
        ),
    )


def _policy(name: str, *rules: Mapping[str, Any]) -> Policy:
    return Policy.model_validate(
        {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": name}, "spec": {"rules": list(rules)}}
    )


def _budget(
    cap_usd: float, window: Mapping[str, Any], per: Sequence[str] = (), on_breach: str = "deny", **more: Any
) -> dict[str, Any]:
    return {"budget": {"cap_usd": f"{cap_usd:.6f}", "window": window, "per": list(per), "on_breach": on_breach, **more}}


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
