"""What the overview says: sums of today and this month, and budgets by how soon they would be full. Pure."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from gateway_shadow.documents import StagingDocument
from gateway_shadow.pages.tally import Key, Level, Tally, pace_nano_usd_an_hour
from policy_store.lifecycle import LIVE
from spendgate.engine.counter_keys import SHARED
from spendgate.model.words import window_words

NEAR = 0.5
"""A budget is shown as near its cap from this share on, or where it would be full within its window."""
MOST_NEAR = 12
DAYS = 30


class Sum(NamedTuple):
    """Calls and their cost, and what would have been denied or put to a person."""

    calls: int = 0
    spent_nano_usd: int = 0
    denied: int = 0
    denied_nano_usd: int = 0
    reviews: int = 0
    unpriced: int = 0


class Budget(NamedTuple):
    """A counter near its cap. ``full_in_s``: at the last day's pace, None where it would not be full in its window."""

    policy: str
    counter: str
    used_nano_usd: int
    limit_nano_usd: int
    share_percent: int
    window: str
    full_in_s: int | None
    is_full: bool
    at: datetime


class Bar(NamedTuple):
    """A day of the chart. Heights: in thousandths of the highest day's."""

    day: date
    sum: Sum
    spent: int
    denied: int


class OverviewView(NamedTuple):
    """All of it."""

    today: Sum
    month: Sum
    budgets: list[Budget]
    bars: list[Bar]
    tally: Tally

    @property
    def highest_nano_usd(self) -> int:
        """What the highest day of the chart has cost."""
        return max((each.sum.spent_nano_usd for each in self.bars), default=0)


def overview(tally: Tally, stagings: Iterable[StagingDocument], now: datetime) -> OverviewView:
    """``now``: aware; days and months are UTC's."""
    live, today = {each.id for each in stagings if each.state in LIVE}, now.astimezone(UTC).date()
    budgets = [
        budget
        for key, level in tally.levels.items()
        if key.staging in live and (level.end is None or level.end > now)
        if (budget := _budget(key, level, now)) is not None
    ]
    budgets.sort(key=lambda each: (not each.is_full, -each.share_percent, each.policy, each.counter))
    month = [day for day in tally.days if (day.year, day.month) == (today.year, today.month)]
    return OverviewView(_sum(tally, [today]), _sum(tally, month), budgets[:MOST_NEAR], _bars(tally, today), tally)


def _sum(tally: Tally, days: Iterable[date]) -> Sum:
    found = [tally.days[day] for day in days if day in tally.days]
    return Sum(
        sum(sum(each.calls.values()) for each in found), sum(each.spent_nano_usd for each in found),
        sum(each.calls["deny"] for each in found), sum(each.nano_usd["deny"] for each in found),
        sum(each.calls["review"] for each in found), sum(each.unpriced for each in found),
    )  # fmt: skip


def _budget(key: Key, level: Level, now: datetime) -> Budget | None:
    left, pace = level.limit_nano_usd - level.used_nano_usd, pace_nano_usd_an_hour(level, now)
    full_in_s = None if not pace or left <= 0 else int(left / pace * 3600)
    if full_in_s is not None and level.end is not None and now + timedelta(seconds=full_in_s) >= level.end:
        full_in_s = None
    if level.share < NEAR and full_in_s is None:
        return None
    return Budget(
        key.policy, "all calls together" if key.counter == SHARED else key.counter, level.used_nano_usd,
        level.limit_nano_usd, int(level.share * 100), window_words(level.start, level.end), full_in_s, left <= 0,
        level.at,
    )  # fmt: skip


def _bars(tally: Tally, today: date) -> list[Bar]:
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    sums = [_sum(tally, [day]) for day in days]
    highest = max((each.spent_nano_usd for each in sums), default=0) or 1
    return [
        Bar(day, each, 1000 * each.spent_nano_usd // highest, 1000 * each.denied_nano_usd // highest)
        for day, each in zip(days, sums, strict=True)
    ]
