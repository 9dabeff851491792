"""Rules as arrays: what the kernel reads of a policy."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.windows import Calendar, bucket_width_ms
from spendgate.model.decision import VERDICTS
from spendgate.model.money import parse_usd, percent_of_nano_usd
from spendgate.model.policy import Boundary, Budget, CalendarWindow, Policy, Review, RollingWindow, Rule

Int = NDArray[np.int64]

BUDGET, BOUNDARY, REVIEW = 0, 1, 2
CALENDAR, ROLLING, LIFETIME = 0, 1, 2
NO_LIMIT = -1
MAX_THRESHOLDS = 8


RULE = np.dtype(
    [
        (name, np.int64)
        for name in (
            "policy", "kind", "breach", "cap", "window", "width_ms", "table", "group", "counter", "cost",
            "input_tokens", "output_tokens", "costly",
        )
    ]
)  # fmt: skip
"""``policy``: index of its policy. ``kind``: BUDGET, BOUNDARY or REVIEW. ``breach``: index into VERDICTS.
``cap``: nano-USD. ``window``: CALENDAR, ROLLING or LIFETIME. ``width_ms``: of a rolling bucket. ``table``: which
calendar. ``group``: which ``per``. ``counter``: the rule's number among all counters of the tenant. ``cost``
(nano-USD), ``input_tokens``, ``output_tokens``: a boundary's maxima or a review's thresholds, NO_LIMIT where absent.
``costly``: 1 if the rule is about cost."""


class Rules(NamedTuple):
    """``rows``: RULE records in policy order. ``thresholds``: (rules, 8) nano-USD, ascending, NO_LIMIT where none."""

    rows: NDArray[np.void]
    thresholds: Int


class PolicyArrays(NamedTuple):
    """One entry a policy, both indexes into VERDICTS: its verdict on an unpriced call, and that from which on a call
    of its own is not admitted (past the last one if every recorded call is)."""

    unpriced: Int
    denies_from: Int


class Layout(NamedTuple):
    """The calendars and ``per`` groups that rules refer to by index."""

    calendars: tuple[Calendar, ...]
    groups: tuple[tuple[str, ...], ...]


def rule_rows(policies: Sequence[Policy], counters: Sequence[int]) -> tuple[Rules, Layout]:
    """All rules of all policies as arrays; ``counters[r]`` is the counter number of rule r."""
    calendars: dict[Calendar, int] = {}
    groups: dict[tuple[str, ...], int] = {}
    rows: list[dict[str, int]] = []
    thresholds: list[list[int]] = []
    for index, policy in enumerate(policies):
        for rule in policy.spec.rules:
            rows.append({"policy": index, "counter": counters[len(rows)], **_rule(rule, calendars, groups)})
            thresholds.append(_thresholds(rule.budget))
    table = np.array([tuple(row.get(name, NO_LIMIT) for name in RULE.names or ()) for row in rows], RULE)
    return (
        Rules(table, np.array(thresholds, np.int64).reshape(len(rows), MAX_THRESHOLDS)),
        Layout(tuple(calendars), tuple(groups)),
    )


def _rule(rule: Rule, calendars: dict[Calendar, int], groups: dict[tuple[str, ...], int]) -> dict[str, int]:
    if rule.budget is not None:
        return _budget(rule.budget, calendars, groups)
    if rule.boundary is not None:
        return _boundary(rule.boundary)
    if rule.review is not None:
        return _review(rule.review)
    raise ValueError("a rule is a budget, a boundary or a review")


def _budget(budget: Budget, calendars: dict[Calendar, int], groups: dict[tuple[str, ...], int]) -> dict[str, int]:
    row = {
        "kind": BUDGET,
        "breach": VERDICTS.index(budget.on_breach),
        "cap": budget.cap_nano_usd,
        "group": groups.setdefault(tuple(budget.per), len(groups)),
        "costly": 1,
        "window": LIFETIME,
    }
    window = budget.window
    if isinstance(window, CalendarWindow):
        week_starts = window.week_starts if window.calendar == "week" else "monday"
        calendar = Calendar(window.calendar, window.timezone, week_starts)
        row |= {"window": CALENDAR, "table": calendars.setdefault(calendar, len(calendars))}
    elif isinstance(window, RollingWindow):
        row |= {"window": ROLLING, "width_ms": bucket_width_ms(window.minutes)}
    return row


def _boundary(boundary: Boundary) -> dict[str, int]:
    return {
        "kind": BOUNDARY,
        "breach": VERDICTS.index(boundary.on_breach),
        "cost": _money(boundary.max_cost_usd),
        "input_tokens": _limit(boundary.max_input_tokens),
        "output_tokens": _limit(boundary.max_output_tokens),
        "costly": int(boundary.max_cost_usd is not None),
    }


def _review(review: Review) -> dict[str, int]:
    return {
        "kind": REVIEW,
        "breach": VERDICTS.index("review"),
        "cost": _money(review.when.cost_usd_over),
        "input_tokens": _limit(review.when.input_tokens_over),
        "output_tokens": _limit(review.when.output_tokens_over),
        "costly": int(review.when.cost_usd_over is not None),
    }


def _money(usd: str | None) -> int:
    return NO_LIMIT if usd is None else parse_usd(usd)


def _limit(tokens: int | None) -> int:
    return NO_LIMIT if tokens is None else tokens


def _thresholds(budget: Budget | None) -> list[int]:
    if budget is None:
        return [NO_LIMIT] * MAX_THRESHOLDS
    values = [percent_of_nano_usd(percent, budget.cap_nano_usd) for percent in sorted(budget.warn_at_percent)]
    return values + [NO_LIMIT] * (MAX_THRESHOLDS - len(values))
