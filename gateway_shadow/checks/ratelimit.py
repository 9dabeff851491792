"""What a check says in headers: the would-be verdict, and the budget that is nearest its cap.

``RateLimit`` and ``RateLimit-Policy`` follow draft-ietf-httpapi-ratelimit-headers-10. Their integers have 15 digits at
most (RFC 9651), so amounts are whole micro-USD, rounded down, which the unit says.
"""

import math
from datetime import datetime

from gateway_shadow.checks.ruling import Ruling
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
        "X-Spendgate-Mode": "enforced" if check.enforced else "shadow",
    }
    if check.enforced:
        found["X-Spendgate-Enforced"] = " ".join(check.enforced)
    if check.blocked is not None:
        found["X-Spendgate-Blocked"] = check.blocked
    if check.fault is not None:
        found["X-Spendgate-Fault"] = check.fault
    budgets = [reason for reason in check.reasons if reason.remaining_nano_usd is not None]
    if budgets:
        nearest = min(budgets, key=lambda reason: reason.remaining_nano_usd or 0)
        found |= _budget(nearest, check.time)
    return found


LOOK_AGAIN_S = 10
"""After so long it pays to ask again whether a person has answered."""
RECOVERED_S = 2
"""A fault of ours may have passed by then."""


def retry_after_s(ruling: Ruling, now: datetime) -> int | None:
    """When a blocked call may be tried again, in whole seconds; None where time alone does not help."""
    if ruling.blocked == "review":
        return LOOK_AGAIN_S
    if ruling.is_refused_by_fault:
        return RECOVERED_S
    resets = [reason.reset_at for reason in ruling.reasons]
    if not resets or None in resets:
        return None
    return max(1, math.ceil((max(filter(None, resets)) - now).total_seconds()))


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
