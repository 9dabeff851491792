"""When a gate could be ready at the earliest: what is a matter of time, and nothing else."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from spendgate.engine.windows import DAY_MS, HOUR_MS, Calendar, CalendarTable
from spendgate.model.policy import Budget, CalendarWindow, Policy, RollingWindow
from spendgate.reconcile.gate_rules import GateRules
from spendgate.reconcile.windows import last_stretch

_MINUTE_MS = 60_000
_REACH_MS = 64 * DAY_MS
"""Within two months every calendar window that is not long begins and ends."""


def proven_at_ms(policy: Policy, rules: GateRules, from_ms: int) -> int:
    """The first instant at which all that has to be observed could have been, if one began at ``from_ms``: the hours,
    and the stretch of every budget."""
    budgets = [rule.budget for rule in policy.spec.rules if rule.budget is not None]
    return max([from_ms + rules.hours * HOUR_MS, *_ends(budgets, rules, from_ms)])


def _ends(budgets: list[Budget], rules: GateRules, from_ms: int) -> Iterator[int]:
    for budget in budgets:
        window = budget.window
        if last_stretch(budget, from_ms, rules.long_window_days).is_partial:
            yield _whole_minute(from_ms) + rules.long_window_days * DAY_MS
        elif isinstance(window, RollingWindow):
            yield _whole_minute(from_ms) + window.minutes * _MINUTE_MS
        elif isinstance(window, CalendarWindow):
            yield _end_of_the_first(Calendar(window.calendar, window.timezone, window.week_starts), from_ms)


def _whole_minute(at_ms: int) -> int:
    """The first whole minute that is not before it."""
    return -(-at_ms // _MINUTE_MS) * _MINUTE_MS


@lru_cache(4096)
def _end_of_the_first(calendar: Calendar, from_ms: int) -> int:
    """The end of the first window that begins at or after an instant."""
    table = CalendarTable.empty(calendar)
    table.cover(from_ms, from_ms + _REACH_MS)
    first = int(np.searchsorted(table.starts, from_ms, side="left"))
    return int(table.starts[first + 1])
