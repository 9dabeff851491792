"""A vertical's records: days of history, and one live day, whose last record is of now."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from dev.verticals.kit import Case, Day, Step, Vertical
from spendgate.model.event import Event

HISTORY_DAYS = 70
"""So many hold a full calendar month, whenever it is."""
DAY = timedelta(days=1)
_SOME_DAY = datetime.fromisoformat("2026-01-05T08:00:00+00:00")


def live_day(vertical: Vertical, tenant: str, seed: int, end: datetime) -> list[Step]:
    """The records of one day, in the order of their times; the last one at ``end`` (aware)."""
    steps = list(_day(vertical, tenant, seed, 0, _SOME_DAY))
    return _moved(steps, end - steps[-1].event.time)


def history(vertical: Vertical, tenant: str, seed: int, end: datetime, days: int = HISTORY_DAYS) -> list[Event]:
    """The records of the days before that live day, the first one first."""
    by = end - list(_day(vertical, tenant, seed, 0, _SOME_DAY))[-1].event.time
    found = (_day(vertical, tenant, seed, ago, _SOME_DAY - ago * DAY) for ago in range(days, 0, -1))
    return [step.event for each in found for step in _moved(list(each), by)]


def _day(vertical: Vertical, tenant: str, seed: int, ago: int, begun: datetime) -> Iterator[Step]:
    """A day's cases, side by side; each case has draws of its own, so that no other one changes it."""
    day = Day.draw(begun, Random(f"{vertical.code} {seed} {ago} day"))
    made: list[tuple[datetime, int, int, Step]] = []
    for place in range(vertical.cases_a_day):
        number = ago * vertical.cases_a_day + place + 1
        case = Case(vertical, tenant, number, day, Random(f"{vertical.code} {seed} {number}"))
        vertical.work(case)
        made += [(step.event.time, number, index, step) for index, step in enumerate(case.steps)]
    yield from (step for *_, step in sorted(made, key=lambda each: each[:3]))


def _moved(steps: list[Step], by: timedelta) -> list[Step]:
    for step in steps:
        step.event.time += by
    return steps
