"""Suggest: the smallest cap that would have denied no more than a stated share in any full window of the history."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from spendgate.engine.windows import DAY_MS
from spendgate.ledger.reader_problem import InputError
from spendgate.model.decision import VERDICTS
from spendgate.model.policy import Policy
from spendgate.model.words import money
from spendgate.simulate.cap_search import CENT, CapSearch, Limit, step_of, usd
from spendgate.simulate.full_windows import full_windows
from spendgate.simulate.history import History
from spendgate.simulate.report import instant
from spendgate.simulate.run import Options, Run, simulate
from spendgate.simulate.variants import Target, target_of

FEW_WINDOWS = 3
TRAINED_TENTHS = 7
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class JudgedWindow:
    """``lost`` of ``of``: calls, or nano-USD. ``deciding``: the next smaller cap tried would have lost too much."""

    start_ms: int
    end_ms: int
    lost: int
    of: int
    deciding: bool = False

    def as_report(self) -> dict[str, Any]:
        """As it stands in a report."""
        return {"start": instant(self.start_ms), "end": instant(self.end_ms), "lost": self.lost, "of": self.of}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``windows``: every full one under the suggested cap. ``held_out``: the later ones under the cap that was chosen
    on the ``trained`` earlier ones alone (``held_out_cap_nano_usd``; None with fewer than two windows).
    ``step_nano_usd``: how far the
    next smaller cap tried is. ``lower_held``: smaller caps that held too, though a cap between did not."""

    target: Target
    limit: Limit
    cap_nano_usd: int
    step_nano_usd: int
    windows: list[JudgedWindow]
    partial_windows: int
    history_days: int
    trained: int
    held_out_cap_nano_usd: int | None
    held_out: list[JudgedWindow]
    caps_tried: int
    lower_held: int

    def as_report(self) -> dict[str, Any]:
        """The ``suggest`` section of a report."""
        held_out_cap = self.held_out_cap_nano_usd
        return {
            "policy": self.target.policy.metadata.name,
            "rule": self.target.rule,
            "percent": f"{self.limit.percent.normalize():f}",
            "of": "dollars" if self.limit.dollars else "accepted",
            "cap_usd": usd(self.cap_nano_usd),
            "step_usd": usd(self.step_nano_usd),
            "windows": [{**window.as_report(), "deciding": window.deciding} for window in self.windows],
            "full_windows": len(self.windows),
            "partial_windows": self.partial_windows,
            "history_days": self.history_days,
            "held_out": [window.as_report() for window in self.held_out],
            "held_out_cap_usd": None if held_out_cap is None else usd(held_out_cap),
            "caps_tried": self.caps_tried,
            "words": self.words,
        }

    @property
    def words(self) -> str:
        """What it says, what it rests on, and how it did on windows that it had not seen."""
        return "; ".join(part for part in (self._claim(), self._rests_on(), self._backtest(), self._tried()) if part)

    def _claim(self) -> str:
        share = f"{self.limit.percent.normalize():f} % of {'dollars' if self.limit.dollars else 'accepted outcomes'}"
        full = _counted(len(self.windows), "full window")
        how = "to the cent" if self.step_nano_usd == CENT else f"to {money(self.step_nano_usd)}"
        return f"the smallest cap, {how}, that would have denied no more than {share} in any of {full}"

    def _rests_on(self) -> str:
        days = _counted(self.history_days, "day") if self.history_days else "less than a day"
        said = f"it rests on {days} of history"
        if self.partial_windows:
            said += f", and {_counted(self.partial_windows, 'partial window')} did not decide"
        return said + (", which is weak evidence" if len(self.windows) < FEW_WINDOWS else "")

    def _backtest(self) -> str:
        if self.held_out_cap_nano_usd is None:
            return "too few windows to hold any out"
        held = sum(self.limit.holds(window.lost, window.of) for window in self.held_out)
        return (
            f"chosen on the first {self.trained} alone it would have been {money(self.held_out_cap_nano_usd)}, "
            f"and would have held in {held} of the {len(self.held_out)} held out"
        )

    def _tried(self) -> str:
        said = f"of {_counted(self.caps_tried, 'cap')} tried, all from it upwards hold"
        lower = f", and {_counted(self.lower_held, 'cap')} below it, with one between that does not"
        return said + (lower if self.lower_held else "")


def suggest(policy: Policy, rule: int, history: History, options: Options, percent: Decimal, of: str) -> Suggestion:
    """The smallest cap for a budget of ``policy``; ``of``: ``accepted`` or ``dollars``.

    Windows are of all tenants together. Raises InputError for a budget that denies nothing, a lifetime one, and a
    history without a full window.
    """
    return suggest_after(simulate([policy], history, options), Target(policy, rule), limit_of(percent, of), history)


def suggest_after(run: Run, target: Target, limit: Limit, history: History) -> Suggestion:
    """As ``suggest``, after a run of the policy over the same history."""
    if VERDICTS.index(target.budget.on_breach) < run.options.refused_from:
        also = " (or review, with reviews refused)"
        raise InputError(f"suggest: expected a budget with on_breach: deny{also}; another one denies nothing")
    first_ms, last_ms = run.tally.first_ms or 0, run.tally.last_ms or 0
    windows = full_windows(target.budget, first_ms, last_ms)
    if not len(windows):
        raise InputError("suggest: expected a history with at least one full window of the budget, and it has none")
    search = CapSearch(target, limit, windows, history, run)
    search.smallest(len(windows))
    trained = len(windows) * TRAINED_TENTHS // 10
    held_out_cap = search.smallest(trained) if trained else None
    cap = search.smallest(len(windows))  # of all that has been tried by now
    below = search.below(cap)
    step = step_of(cap) if below is None else max(step_of(cap), cap - below)
    return Suggestion(
        target, limit, cap, step, _judged(search, cap), windows.partial, (last_ms - first_ms) // DAY_MS, trained,
        held_out_cap, [] if held_out_cap is None else _judged(search, held_out_cap)[trained:], len(search.tried),
        sum(search.holds(each, len(windows)) for each in search.tried if each < cap),
    )  # fmt: skip


def _judged(search: CapSearch, cap: int) -> list[JudgedWindow]:
    below = search.below(cap)
    lower = search.tried[cap if below is None else below]
    columns = zip(search.windows.spans(), search.tried[cap], lower, search.of, strict=True)
    return [
        JudgedWindow(start, end, lost, of, below is not None and not search.limit.holds(more, of))
        for (start, end), lost, more, of in columns
    ]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def suggest_section(
    text: str, percent: str, of: str, policies: Sequence[Policy]
) -> Callable[[History, Run], dict[str, Any]]:
    """What fills in the ``suggest`` section of a report. Raises InputError."""
    target, limit = target_of(text, policies), parse_limit(percent, of)

    def find(history: History, run: Run) -> dict[str, Any]:
        return suggest_after(run, target, limit, history).as_report()

    return find


def parse_limit(percent: str, of: str) -> Limit:
    """A limit as it was written. Raises InputError: see ``limit_of``."""
    try:
        return limit_of(Decimal(percent), of)
    except InvalidOperation:  # no number, or none that can be compared
        raise InputError("percent: expected a number from 0 to 100") from None


def limit_of(percent: Decimal, of: str) -> Limit:
    """Raises InputError unless it is a percentage with at most six decimals, of ``accepted`` or ``dollars``."""
    if of not in ("accepted", "dollars"):
        raise InputError("of: expected accepted or dollars")
    if not percent.is_finite() or not 0 <= percent <= 100 or round(percent, _DECIMALS) != percent:
        raise InputError(f"percent: expected a number from 0 to 100 with at most {_DECIMALS} decimals")
    return Limit(percent, of == "dollars")
