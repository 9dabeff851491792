"""The criteria of a reconciliation: each with what was measured, what is asked for, and how far off it is.

All of them are shown, also when one already decides. A fault fails; too little to know is inconclusive, and zero
traffic proves nothing.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

Outcome = Literal["pass", "fail", "inconclusive"]

MIN_EVENTS = 1_000
NEAR_CAP_PERCENT = 20
"""An event counts as near a cap if it leaves at most so much of it, or breaks it."""
MIN_HOURS = 24


class Criterion(NamedTuple):
    """``missing``: how much more is needed, 0 where it is met; of a fault, how many there are."""

    name: str
    outcome: Outcome
    measured: int
    threshold: int
    missing: int
    words: str


class Measured(NamedTuple):
    """What the criteria look at. ``differences``: all; ``unexplained``: those without a cause; ``lacking``: records
    that the ledger does not have; ``near_cap``: None without a budget; ``full_windows``: of the budget with the fewest,
    None without one that has any."""

    events: int
    differences: int
    unexplained: int
    lacking: int
    near_cap: int | None
    observed_hours: int
    full_windows: int | None


def criteria(measured: Measured) -> list[Criterion]:
    """All criteria, the faults first."""
    found = [
        _none("differences", measured.differences, "calls on which shadow and replay do not agree"),
        _none("unexplained", measured.unexplained, "differences without a cause"),
        _none("coverage", measured.lacking, "records that the ledger lacks"),
        _least("events", measured.events, MIN_EVENTS, "calls that were judged and replayed"),
        _least("hours", measured.observed_hours, MIN_HOURS, "hours observed"),
    ]
    if measured.near_cap is not None:
        found.append(_least("near_cap", measured.near_cap, 1, f"calls within {NEAR_CAP_PERCENT} % of a cap"))
    if measured.full_windows is not None:
        found.append(_least("full_windows", measured.full_windows, 1, "full windows of every budget"))
    return found


def outcome(found: Sequence[Criterion]) -> Outcome:
    """The worst of all: a fault before what is not known."""
    worst: Outcome = "pass"
    for each in found:
        if each.outcome == "fail":
            return "fail"
        if each.outcome == "inconclusive":
            worst = "inconclusive"
    return worst


def _none(name: str, measured: int, words: str) -> Criterion:
    return Criterion(name, "fail" if measured else "pass", measured, 0, measured, words)


def _least(name: str, measured: int, threshold: int, words: str) -> Criterion:
    missing = max(0, threshold - measured)
    return Criterion(name, "inconclusive" if missing else "pass", measured, threshold, missing, words)
