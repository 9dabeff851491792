"""A tenant's watermark and horizons: how far its log has come, by the broker's time alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spendgate.engine.rules import Int
from spendgate.engine.windows import HOUR_MS
from spendgate.model.settings import Settings

BEGINNING = -(2**62)
"""Before every instant: where a tenant's horizons stand before its first record."""
MINUTE_MS = 60_000


class Clock(NamedTuple):
    """The watermark (ms), the late horizon (ms) and the duplicate horizon (whole hours since the epoch)."""

    watermark_ms: int = BEGINNING
    late_ms: int = BEGINNING
    duplicate_hour: int = BEGINNING


class Timed(NamedTuple):
    """One entry a record: the ``judged_ms`` that chooses windows, whether it is ``late`` and ``skewed`` (0, 1),
    the ``hour`` under which its identity is filed, and the ``duplicate_hour`` horizon at its place.
    """

    judged_ms: Int
    late: Int
    skewed: Int
    hour: Int
    duplicate_hour: Int
    after: Clock

    def take(self, places: Sequence[int]) -> "Timed":
        """The entries at ``places``."""
        judged, late, skewed, hour, horizon = (column[list(places)] for column in self[:5])
        return Timed(judged, late, skewed, hour, horizon, self.after)


def advance(clock: Clock, settings: Settings, received_ms: Int, time_ms: Int) -> Timed:
    """Pass records in log order. ``received_ms``: the broker's append times; ``time_ms``: the events' own.

    A record raises the watermark before it is looked at itself; a horizon never moves back.
    """
    watermark = np.maximum.accumulate(np.maximum(received_ms, clock.watermark_ms))
    late_horizon = np.maximum(watermark - settings.grace_hours * HOUR_MS, clock.late_ms)
    hour = watermark // HOUR_MS
    duplicate_hour = np.maximum(hour - settings.dedupe_hours, clock.duplicate_hour)
    skewed = time_ms > received_ms + settings.skew_minutes * MINUTE_MS
    judged = np.where(skewed, received_ms, time_ms)
    return Timed(
        judged,
        (judged < late_horizon).astype(np.int64),
        skewed.astype(np.int64),
        hour,
        duplicate_hour,
        _after(clock, watermark, late_horizon, duplicate_hour),
    )


def late_horizon_ms(clock: Clock, settings: Settings) -> int:
    """The horizon behind which a record is late that raises the watermark no further."""
    return max(clock.watermark_ms - settings.grace_hours * HOUR_MS, clock.late_ms)


def _after(clock: Clock, watermark: Int, late_horizon: Int, duplicate_hour: Int) -> Clock:
    if not len(watermark):
        return clock
    return Clock(int(watermark[-1]), int(late_horizon[-1]), int(duplicate_hour[-1]))


def tick(clock: Clock, settings: Settings, received_ms: int) -> Clock:
    """Pass one record that is no call, such as an activation."""
    at = np.array([received_ms], np.int64)
    return advance(clock, settings, at, at).after
