"""The traffic of the story: what three teams have spent since the month before last ended, a day at a time.

The month that is over went a fifth beyond team growth's cap. This month is planned to leave room for a few more calls.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

DOLLAR = 10**9
CAP_NANO_USD = 100 * DOLLAR
LEFT_NANO_USD = 2_100_000_000
"""What is left of the cap when the story comes to today."""
TEAM = "growth"
OTHERS = {"search": 60, "support": 45}
"""What other teams spend in a month, dollars; their caps are never near."""
CALLS_A_DAY = 12
TOO_NEAR = timedelta(minutes=5)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Day:
    """A day's calls, which are delivered together at ``at``."""

    at: datetime
    calls: list[dict[str, Any]]


def month_before(now: datetime) -> datetime:
    """When the month before this one began, UTC."""
    return month_of(month_of(now) - _DAY)


def ends_soon(now: datetime) -> bool:
    """Whether the month ends before a story that begins now is told: what is spent would begin anew in it."""
    return month_of(now + TOO_NEAR) != month_of(now)


def month_of(at: datetime) -> datetime:
    """When its month began, UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def days(now: datetime) -> Iterator[Day]:
    """Last month, day by day, and this month up to now."""
    begin, turn = month_before(now), month_of(now)
    yield from _spent(begin, turn, CAP_NANO_USD * 6 // 5)
    yield from _spent(turn, now, CAP_NANO_USD - LEFT_NANO_USD)


def _spent(begin: datetime, end: datetime, growth_nano_usd: int) -> Iterator[Day]:
    """A stretch of days in which growth spends exactly so much."""
    ends = [begin + _DAY * n for n in range(1, (end - begin) // _DAY + 1)]
    if not ends or ends[-1] < end:
        ends.append(end)
    calls, spent = len(ends) * CALLS_A_DAY, 0
    for number, last in enumerate(ends):
        first = begin if number == 0 else ends[number - 1]
        made = []
        for each in range(CALLS_A_DAY):
            upto = growth_nano_usd * (number * CALLS_A_DAY + each + 1) // calls
            at = first + (last - first) * each / CALLS_A_DAY
            made.append(_call(TEAM, at, upto - spent))
            made += [_call(team, at, usd * DOLLAR // 31 // CALLS_A_DAY) for team, usd in OTHERS.items()]
            spent = upto
        yield Day(last, made)


def _call(team: str, at: datetime, cost_nano_usd: int) -> dict[str, Any]:
    return {
        "id": f"{team}-{at:%Y%m%d-%H%M%S%f}", "time": at.isoformat(), "team": team, "vendor": "openai",
        "model": "gpt-4o", "cost_nano_usd": cost_nano_usd,
    }  # fmt: skip
