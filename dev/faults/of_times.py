"""Clocks step and drift, a day has 23 or 25 hours, a month ends, three months come in at once."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dev.faults.arena import Arena
from dev.faults.fault import Fault
from dev.faults.load import ZONE, Batch, Span

BERLIN = ZoneInfo(ZONE)
STEPS_S = (3600.0, -3600.0, 86400.0, 0.0)
REPEATS_KNOWN = timedelta(hours=22)
"""The length of a load that lies in the past, within the 24 hours for which a repeat is known: beyond them it is a new
call by the law, and plain sums count each call once."""
DRIFT = 0.02
"""Seconds a second, beside what has drifted so far."""
DRIFTS, DRIFT_STEP_S = 40, 15.0


def _plain(arena: Arena) -> None:
    """Nothing is done to the system: the fault is in the times of the load."""
    arena.system.start()
    arena.send(0.3)
    arena.settle()
    arena.send()
    arena.recover()
    arena.settle()


def _by(arena: Arena) -> Callable[[Batch], Batch]:
    """Appends records under the clock that workers see: the broker's has stepped, too."""
    clock = arena.clock

    def timed(batch: Batch) -> Batch:
        return replace(batch, at_ms=int((time.time() + clock.offset_s) * 1000))

    return timed


def _steps(arena: Arena) -> None:
    arena.before_send = _by(arena)
    arena.system.start()
    arena.send(0.15)
    arena.settle()
    for offset_s in STEPS_S:
        arena.clock.step(offset_s)
        arena.send(0.15)
        arena.sleep(2)
    arena.recover()
    arena.send()
    arena.settle()


def _drift(arena: Arena) -> None:
    """Ever faster: ten minutes ahead in some seconds, and back where it was at once."""
    arena.before_send = _by(arena)
    arena.system.start()
    arena.send(0.15)
    arena.settle()
    for number in range(DRIFTS):
        arena.clock.step(number * DRIFT_STEP_S)
        arena.send(0.6 / DRIFTS)
        arena.sleep(0.1)
    arena.clock.step(0)
    arena.recover()
    arena.send()
    arena.settle()


def _dst(seed: int) -> Span:
    """Around the day in March that has 23 hours by odd seeds, the day in October that has 25 by even ones."""
    start = datetime(2026, 3, 28, 20, tzinfo=BERLIN) if seed % 2 else datetime(2026, 10, 24, 20, tzinfo=BERLIN)
    return Span(start.astimezone(UTC), REPEATS_KNOWN, dated=True)


def _month_end(seed: int) -> Span:
    start = datetime(2026, 1, 31, 12, tzinfo=BERLIN)
    return Span(start.astimezone(UTC), REPEATS_KNOWN, dated=True)


def _backfill(seed: int) -> Span:
    length = timedelta(days=90)
    return Span(datetime.now(UTC) - length - timedelta(minutes=1), length)


TIMES = (
    Fault("clock_step", "clocks step an hour ahead, an hour back, a day ahead", _steps, dated=True, clocked=True),
    Fault("clock_drift", "clocks drift ten minutes ahead, and step back", _drift, dated=True, clocked=True),
    Fault("dst_day", "a day of 23 or 25 hours", _plain, _dst, dated=True),
    Fault("month_end", "the end of a month", _plain, _month_end, dated=True),
    Fault("backfill_90d", "ninety days come in at once", _plain, _backfill, all_on_time=False),
)
