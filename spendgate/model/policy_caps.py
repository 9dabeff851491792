"""Budgets of one policy of which one can never be the first to breach."""

from collections.abc import Iterator

from spendgate.model.policy import (
    Budget,
    CalendarWindow,
    LifetimeWindow,
    Policy,
    RollingWindow,
    Window,
)
from spendgate.model.policy_problems import Path
from spendgate.model.policy_types import Severity

SEVERITY: dict[Severity, int] = {"warn": 1, "review": 2, "deny": 3}
_LONGER: dict[str, frozenset[str]] = {
    "hour": frozenset({"day", "week", "month", "quarter", "year"}),
    "day": frozenset({"week", "month", "quarter", "year"}),
    "week": frozenset(),
    "month": frozenset({"quarter", "year"}),
    "quarter": frozenset({"year"}),
    "year": frozenset(),
}
"""Calendar units whose windows hold a unit's windows whole; a week may cross a month's end."""


def caps_that_cannot_bind(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Caps that another budget of the policy always reaches first, with a verdict no milder.

    A policy's budgets count the same calls, so a counter whose window lies within another's, and whose
    ``per`` is at least as fine, never holds more than the other.
    """
    budgets = [(i, rule.budget) for i, rule in enumerate(policy.spec.rules) if rule.budget]
    for i, budget in budgets:
        for j, other in budgets:
            if i != j and _binds_first(other, budget) and (j < i or not _binds_first(budget, other)):
                where = ("spec", "rules", i, "budget", "cap_usd")
                yield where, f"can't bind: rules[{j}] counts all of this and more, and its cap is no higher"
                break


def _binds_first(other: Budget, budget: Budget) -> bool:
    return (
        other.cap_nano_usd <= budget.cap_nano_usd
        and SEVERITY[other.on_breach] >= SEVERITY[budget.on_breach]
        and set(other.per) <= set(budget.per)
        and _within(budget.window, other.window)
    )


def _within(inner: Window, outer: Window) -> bool:
    """Whether every window of ``inner`` lies in the window of ``outer`` for the same call."""
    if inner == outer or isinstance(outer, LifetimeWindow):
        return True
    if isinstance(inner, RollingWindow) and isinstance(outer, RollingWindow):
        return outer.minutes % inner.minutes == 0  # else their buckets are cut at different instants
    return (
        isinstance(inner, CalendarWindow)
        and isinstance(outer, CalendarWindow)
        and inner.timezone == outer.timezone
        and outer.calendar in _LONGER[inner.calendar]
    )
