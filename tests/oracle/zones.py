"""Wall clocks, from the pinned ``tzdata`` wheel and never from the machine."""

from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from tests.oracle.documents import ONE_MS, to_instant

HOUR_MS = 3_600_000
_STEP_MS = HOUR_MS // 4
_SECOND_MS = 1000


@lru_cache
def zone(key: str) -> ZoneInfo:
    """The zone of that name."""
    with files("tzdata").joinpath("zoneinfo", *key.split("/")).open("rb") as source:
        return ZoneInfo.from_file(source, key=key)


def wall_clock(key: str, at_ms: int) -> datetime:
    """What a clock on the wall of that zone shows, as a naive datetime."""
    return to_instant(at_ms).astimezone(zone(key)).replace(tzinfo=None)


def offset_ms(key: str, at_ms: int) -> int:
    """How far the wall clock is ahead of UTC."""
    offset = to_instant(at_ms).astimezone(zone(key)).utcoffset() or timedelta()
    return offset // ONE_MS


@lru_cache(maxsize=4096)
def pieces(key: str, start_ms: int, end_ms: int) -> tuple[tuple[int, int, int], ...]:
    """``[start, end)`` cut wherever the offset changes: (start, end, offset) each, all in ms.

    The bounds must be whole seconds. Looks every quarter of an hour, then halves down to the second of the
    change; no zone changes twice within a quarter.
    """
    cuts = [start_ms]
    for left in range(start_ms, end_ms, _STEP_MS):
        right = min(left + _STEP_MS, end_ms)
        if offset_ms(key, left) != offset_ms(key, right):
            cuts.append(_change_between(key, left, right))
    inner = [cut for cut in cuts if cut < end_ms]
    return tuple((a, b, offset_ms(key, a)) for a, b in zip(inner, [*inner[1:], end_ms], strict=True))


def _change_between(key: str, left_ms: int, right_ms: int) -> int:
    """The first whole second in ``(left, right]`` that has the offset of ``right``."""
    while right_ms - left_ms > _SECOND_MS:
        middle = (left_ms + right_ms) // 2 // _SECOND_MS * _SECOND_MS
        if offset_ms(key, middle) == offset_ms(key, left_ms):
            left_ms = middle
        else:
            right_ms = middle
    return right_ms
