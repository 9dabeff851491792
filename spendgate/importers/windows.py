"""Windows of other systems as those of a policy, and in what they differ."""

import re
from typing import Any, NamedTuple

from spendgate.model.policy_types import MAX_ROLLING_MINUTES

_DURATION = re.compile(r"([0-9]{1,6})(mo|[smhdw])", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10080}


class WindowFound(NamedTuple):
    """A window; ``differs`` says in what it is not the other system's, None where it is the same."""

    window: dict[str, Any]
    differs: str | None = None


def lifetime() -> WindowFound:
    """A limit that nothing resets."""
    return WindowFound({"lifetime": True})


def rolling(seconds: int, differs: str | None) -> WindowFound | None:
    """A rolling window of so many seconds, rounded up to whole minutes; None beyond 400 days."""
    minutes = -(-seconds // 60)
    if not 0 < minutes <= MAX_ROLLING_MINUTES:
        return None
    size = next(
        f"{minutes // length}{unit}" for unit, length in (("d", 1440), ("h", 60), ("m", 1)) if not minutes % length
    )
    rounded = "is rounded up to whole minutes" if seconds % 60 else None
    return WindowFound({"rolling": size}, "; ".join(filter(None, (differs, rounded))) or None)


def litellm_window(duration: object, timezone: str) -> WindowFound | None:
    """LiteLLM's ``budget_duration``: 1h, 1d, 7d and 30d (1mo) reset with the calendar there, others are fixed
    stretches from the creation of the budget. None for what is no duration or has no counterpart.

    Source: ``get_next_standardized_reset_time`` in LiteLLM's ``duration_parser.py``.
    """
    match = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if match is None or int(match.group(1)) == 0:
        return None
    number, unit = int(match.group(1)), match.group(2)
    if unit == "mo":
        return _calendar("month", timezone) if number == 1 else None
    if unit == "s":
        return rolling(number, _FIXED)
    minutes = number * _MINUTES[unit]
    calendar = {60: "hour", 1440: "day", 10080: "week", 43200: "month"}.get(minutes)
    if calendar is None:
        return rolling(minutes * 60, _FIXED)
    found = _calendar(calendar, timezone)
    return found._replace(differs=_THIRTY_DAYS) if calendar == "month" else found


def _calendar(unit: str, timezone: str) -> WindowFound:
    return WindowFound({"calendar": unit, "timezone": timezone})


_FIXED = "resets at fixed times there, here the window rolls: at any instant it looks back as far"
_THIRTY_DAYS = "30 days are a calendar month, as in current releases; older ones count 30 days from the creation"
