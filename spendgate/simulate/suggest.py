"""Suggest: the smallest cap that would have denied no more than a stated share in any full window of the history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np

from spendgate.engine.rules import Int
from spendgate.engine.windows import DAY_MS, Calendar, CalendarTable
from spendgate.ledger.reader_problem import InputError
from spendgate.model.money import NANO_PER_USD
from spendgate.model.policy import CalendarWindow, Policy, RollingWindow
from spendgate.simulate.history import History
from spendgate.simulate.report import instant
from spendgate.simulate.run import Run
from spendgate.simulate.variants import Denials, Target, denials, target_of

GRID = 32
CENT = NANO_PER_USD // 100
FEW_WINDOWS = 3
TRAINED = Fraction(7, 10)


@dataclass(frozen=True, slots=True)
class Limit:
    """No more than ``percent`` of accepted outcomes, or of ``dollars``, may be denied in any full window."""

    percent: Fraction
    dollars: bool

    def holds(self, lost: int, of: int) -> bool:
        """Whether so much lost is still allowed; exact."""
        return lost * 100 <= self.percent * of

    def sums(self, found: Denials, variant: int) -> tuple[list[int], list[int]]:
        """By window: what would have been lost, and of how much."""
        lost = found.denied_nano_usd if self.dollars else found.lost
        return lost[variant].tolist(), (found.nano_usd if self.dollars else found.accepted).tolist()


@dataclass(frozen=True, slots=True)
class Windows:
    """The full windows of the history: ``starts`` ascending in ms, and the end of the last."""

    starts: Int
    end_ms: int

    def __len__(self) -> int:
        return len(self.starts)

    def number_of(self, judged_ms: Int) -> Int:
        """In which window each instant lies, -1 in none."""
        found = np.searchsorted(self.starts, judged_ms, side="right") - 1
        return np.where((judged_ms < self.end_ms) & (found >= 0), found, -1)

    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each."""
        return list(zip(self.starts.tolist(), [*self.starts[1:].tolist(), self.end_ms], strict=True))


def full_windows(target: Target, first_ms: int, last_ms: int) -> Windows:
    """Windows that began at or after the first call and ended at or before the last.

    Of a rolling budget: stretches of its length, side by side, back from the last call. Raises InputError for a
    lifetime budget, which has none.
    """
    window = target.budget.window
    if isinstance(window, CalendarWindow):
        table = CalendarTable.empty(Calendar(window.calendar, window.timezone, window.week_starts))
        table.cover(first_ms, last_ms)
        edges = table.starts[(table.starts >= first_ms) & (table.starts <= last_ms)]
    elif isinstance(window, RollingWindow):
        length = window.minutes * 60_000
        edges = np.arange(last_ms + 1 - (last_ms + 1 - first_ms) // length * length, last_ms + 2, length)
    else:
        raise InputError("suggest: expected a calendar or a rolling budget; a lifetime has no full window")
    return Windows(edges[:-1], int(edges[-1]) if len(edges) else 0)


def suggest_section(
    text: str, percent: str, of: str, policies: Sequence[Policy]
) -> Callable[[History, Run], dict[str, Any]]:
    """What fills in the ``suggest`` section of a report. Raises InputError."""
    target, limit = target_of(text, policies), parse_limit(percent, of)

    def find(history: History, run: Run) -> dict[str, Any]:
        return suggest(target, limit, history, run)

    return find


def parse_limit(percent: str, of: str) -> Limit:
    """Raises InputError unless it is a percentage, of ``accepted`` or ``dollars``."""
    try:
        share = Fraction(Decimal(percent))
    except (InvalidOperation, ValueError, OverflowError):
        raise InputError("percent: expected a number from 0 to 100") from None
    if not 0 <= share <= 100 or of not in ("accepted", "dollars"):
        raise InputError("expected --percent from 0 to 100, and --of accepted or dollars")
    return Limit(share, of == "dollars")


def suggest(target: Target, limit: Limit, history: History, run: Run) -> dict[str, Any]:
    """The section. Raises InputError where the history holds no full window."""
    windows = full_windows(target, run.tally.first_ms or 0, run.tally.last_ms or 0)
    if not len(windows):
        raise InputError("suggest: expected a history with at least one full window of the budget")
    search = _Search(target, limit, windows, history, run)
    everything = search.smallest(len(windows))
    trained = int(len(windows) * TRAINED)
    held_out = search.smallest(trained) if 0 < trained < len(windows) else None
    return {
        "policy": target.policy.metadata.name,
        "rule": target.rule,
        "percent": f"{float(limit.percent):g}",
        "of": "dollars" if limit.dollars else "accepted",
        "cap_usd": _usd(everything.cap_nano_usd),
        "windows": _shown(windows, everything, 0, everything.tight(limit)),
        "full_windows": len(windows),
        "history_days": ((run.tally.last_ms or 0) - (run.tally.first_ms or 0)) // DAY_MS,
        "held_out": [] if held_out is None else _shown(windows, held_out, trained, set()),
        "held_out_cap_usd": None if held_out is None else _usd(held_out.cap_nano_usd),
        "words": _words(limit, windows, everything, held_out, trained),
    }


@dataclass(frozen=True, slots=True)
class _Found:
    """A cap, and by window what it would have lost, of how much; ``below``: the same of the next smaller cap tried."""

    cap_nano_usd: int
    lost: list[int]
    of: list[int]
    below: list[int]

    def tight(self, limit: Limit) -> set[int]:
        """The windows that a smaller cap would have broken: those that decided it."""
        return {n for n, (lost, of) in enumerate(zip(self.below, self.of, strict=True)) if not limit.holds(lost, of)}


class _Search:
    """Narrows a grid of caps; each step is one pass over the history for all caps of the grid."""

    def __init__(self, target: Target, limit: Limit, windows: Windows, history: History, run: Run) -> None:
        self._target, self._limit, self._windows = target, limit, windows
        self._history, self._run = history, run
        row = _row(target, run)
        self._most = max(
            (each.recorded_nano_usd for judge in run.judges.values() for each in judge.rows() if each.rule == row),
            default=0,
        )

    def smallest(self, windows: int) -> _Found:
        """The smallest cap, to the cent, from which on every one tried holds in the first so many windows."""
        low, high, below = -CENT, -(-self._most // CENT) * CENT, None
        while True:
            tried, found, broken = self._at(low, high, windows)
            below = below if broken is None else broken
            if found.cap_nano_usd - tried <= CENT or (tried, found.cap_nano_usd) == (low, high):
                return replace(found, below=found.lost if below is None else below)
            low, high = tried, found.cap_nano_usd

    def _at(self, low: int, high: int, windows: int) -> tuple[int, _Found, list[int] | None]:
        """Of caps over ``low`` up to ``high``: the last that breaks (or ``low``), the first from which on all hold, and
        what the former would have lost (None: it was tried before)."""
        step = max(CENT, -(-(high - low) // GRID // CENT) * CENT)
        caps = [*range(low + step, high, step), high]
        variants = [self._target.with_fields(cap_usd=_usd(cap)) for cap in caps]
        counted = denials(
            self._target, variants, self._history, self._run.options, len(self._windows), self._windows.number_of
        )
        at = len(caps) - 1
        while at > 0 and self._holds(counted, at - 1, windows):
            at -= 1
        if not self._holds(counted, at, windows):
            raise InputError("suggest: no cap of this budget would do: other rules of the policy deny more than that")
        lost, of = self._limit.sums(counted, at)
        broken = self._limit.sums(counted, at - 1)[0] if at else None
        return (caps[at - 1] if at else low), _Found(caps[at], lost, of, []), broken

    def _holds(self, counted: Denials, variant: int, windows: int) -> bool:
        lost, of = self._limit.sums(counted, variant)
        return all(map(self._limit.holds, lost[:windows], of[:windows]))


def _row(target: Target, run: Run) -> int:
    row = 0
    for policy in run.policies:
        if policy is target.policy:
            return row + target.rule
        row += len(policy.spec.rules)
    raise InputError("suggest: expected a policy of this simulation")


def _usd(nano_usd: int) -> str:
    return f"{Decimal(nano_usd) / NANO_PER_USD:.2f}"


def _shown(windows: Windows, found: _Found, first: int, deciding: set[int]) -> list[dict[str, Any]]:
    return [
        {"start": instant(start), "end": instant(end), "lost": lost, "of": of, "deciding": number in deciding}
        for number, ((start, end), lost, of) in enumerate(zip(windows.spans(), found.lost, found.of, strict=True))
        if number >= first
    ]


def _words(limit: Limit, windows: Windows, found: _Found, held_out: _Found | None, trained: int) -> str:
    share = f"{float(limit.percent):g} % of {'dollars' if limit.dollars else 'accepted outcomes'}"
    said = f"the smallest cap that would have denied no more than {share} in any of {len(windows)} full windows"
    if len(windows) < FEW_WINDOWS:
        said += "; so few windows prove little"
    if held_out is None:
        return f"{said}; too few to hold any out"
    worst = sum(not limit.holds(a, b) for a, b in zip(held_out.lost[trained:], held_out.of[trained:], strict=True))
    rest = len(windows) - trained
    return (
        f"{said}; chosen on the first {trained} alone it would have been ${_usd(held_out.cap_nano_usd)}, "
        f"and would have held in {rest - worst} of the {rest} held out"
    )
