"""What a check says in headers: the would-be verdict, and the budget that is nearest its cap.

``RateLimit`` and ``RateLimit-Policy`` follow draft-ietf-httpapi-ratelimit-headers-10. Their integers have 15 digits at
most (RFC 9651), so amounts are whole micro-USD, rounded down, which the unit says.
"""

from datetime import datetime

from spendgate.model.check import Check
from spendgate.model.decision import Reason

_UNIT = "micro-usd"
_MOST = 10**15 - 1
_NANO_PER_MICRO = 1000


def headers_of(check: Check) -> dict[str, str]:
    """The headers of an answer."""
    found = {
        "X-Spendgate-Check-Id": check.check_id,
        "X-Spendgate-Would-Be": check.would_be or "unknown",
        "X-Spendgate-Mode": "shadow",
    }
    if check.fault is not None:
        found["X-Spendgate-Fault"] = check.fault
    budgets = [reason for reason in check.reasons if reason.remaining_nano_usd is not None]
    if budgets:
        nearest = min(budgets, key=lambda reason: reason.remaining_nano_usd or 0)
        found |= _budget(nearest, check.time)
    return found


def _budget(reason: Reason, now: datetime) -> dict[str, str]:
    name = f'"{_quoted(reason.policy)}/{reason.rule}"'
    left, cap = _micro(reason.remaining_nano_usd or 0), _micro(reason.limit_nano_usd or 0)
    limit, policy = f"{name};r={left}", f'{name};q={cap};qu="{_UNIT}"'
    if reason.window_end is not None and reason.window_start is not None:
        limit += f";t={max(0, int((reason.window_end - now).total_seconds()))}"
        policy += f";w={int((reason.window_end - reason.window_start).total_seconds())}"
    return {"RateLimit": limit, "RateLimit-Policy": policy}


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _micro(nano_usd: int) -> int:
    return min(max(0, nano_usd) // _NANO_PER_MICRO, _MOST)
