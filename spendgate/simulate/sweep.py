"""Sweep: one budget at many caps, windows or warn thresholds, in one pass over the history."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from spendgate.ledger.reader_problem import InputError
from spendgate.model.policy import CalendarWindow, Policy
from spendgate.simulate.cap_variants import cap_denials
from spendgate.simulate.history import History
from spendgate.simulate.run import Options, Run
from spendgate.simulate.variants import Denials, Target, denials, target_of

MAX_POINTS = 400
_EXPECTED = "sweep: expected cap=100:2000:50, warn=50:95:5 or window=24h,7d,month, which may stand after POLICY/RULE."
COUNTS = ("denied_calls", "denied_nano_usd", "lost_accepted", "owners_hit", "warned_calls")
CALENDARS = ("hour", "day", "week", "month", "quarter", "year")


@dataclass(frozen=True, slots=True)
class Sweep:
    """``what``: cap, warn or window; ``values``: as they were asked for, in that order."""

    target: Target
    what: str
    values: tuple[str, ...]

    def variants(self) -> list[Policy]:
        """The policy at each value. Raises InputError for a value that no policy could have."""
        try:
            return [self._variant(value) for value in self.values]
        except ValueError:  # of pydantic, or of int
            raise InputError(f"sweep: expected values that a budget's {self.what} can have") from None

    def _variant(self, value: str) -> Policy:
        if self.what == "cap":
            return self.target.with_fields(cap_usd=value)
        if self.what == "warn":
            return self.target.with_fields(warn_at_percent=[int(value)])
        if value not in CALENDARS:
            return self.target.with_fields(window={"rolling": value})
        window, now = {"calendar": value}, self.target.budget.window
        if isinstance(now, CalendarWindow):
            window |= {"timezone": now.timezone} | ({"week_starts": now.week_starts} if value == "week" else {})
        return self.target.with_fields(window=window)

    def count(self, history: History, options: Options) -> Denials:
        """One pass over the history for all values."""
        kind = denials if self.what == "window" else cap_denials
        return kind(self.target, self.variants(), history, options)


def parse_sweep(text: str, policies: Sequence[Policy]) -> Sweep:
    """``[POLICY/RULE.]what=values``, values as ``from:to:step`` or a list. Raises InputError."""
    name, sign, values = text.partition("=")
    place, dot, what = name.rpartition(".")
    if not sign or what not in ("cap", "warn", "window"):
        raise InputError(_EXPECTED)
    sweep = Sweep(target_of(place if dot else None, policies), what, tuple(_values(values, what)))
    if not 1 <= len(sweep.values) <= MAX_POINTS:
        raise InputError(f"{_EXPECTED} At least one value, and at most {MAX_POINTS}.")
    sweep.variants()
    return sweep


def _values(text: str, what: str) -> Iterator[str]:
    if ":" not in text:
        yield from filter(None, (part.strip() for part in text.split(",")))
        return
    try:
        first, last, step = (Decimal(part) for part in text.split(":"))
        is_range = step > 0 and 0 <= (last - first) / step < MAX_POINTS
    except (ValueError, ArithmeticError):  # not three, no number, or none to compare
        raise InputError(_EXPECTED) from None
    if what == "window" or not is_range:
        raise InputError(f"sweep: expected FROM:TO:STEP of at most {MAX_POINTS} values, ascending")
    for number in range(int((last - first) / step) + 1):
        yield f"{(first + number * step).normalize():f}"


def sweep_section(text: str, policies: Sequence[Policy]) -> Callable[[History, Run], dict[str, Any]]:
    """What fills in the ``sweep`` section of a report. Raises InputError."""
    sweep = parse_sweep(text, policies)

    def find(history: History, run: Run) -> dict[str, Any]:
        return points_of(sweep, sweep.count(history, run.options))

    return find


def sweep_table(section: Mapping[str, Any]) -> Any:
    """The points of a ``sweep`` section as an Arrow table, a row each; ``value`` is text, as it was asked for."""
    counts = [pa.field(name, pa.int64()) for name in COUNTS]
    return pa.Table.from_pylist(section["points"], pa.schema([pa.field("value", pa.string()), *counts]))


def points_of(sweep: Sweep, found: Denials) -> dict[str, Any]:
    """The section, from what was counted."""
    return {
        "what": {"cap": "cap_usd", "warn": "warn_at_percent", "window": "window"}[sweep.what],
        "policy": sweep.target.policy.metadata.name,
        "rule": sweep.target.rule,
        "owner": sweep.target.owner,
        "points": [
            {
                "value": value,
                "denied_calls": int(found.denied[at].sum()),
                "denied_nano_usd": int(found.denied_nano_usd[at].sum()),
                "lost_accepted": int(found.lost[at].sum()),
                "owners_hit": len(found.owners[at]),
                "warned_calls": int(found.warned[at].sum()),
            }
            for at, value in enumerate(sweep.values)
        ],
    }
