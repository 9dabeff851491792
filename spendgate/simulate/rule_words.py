"""A rule in a few words, for reports."""

from spendgate.model.money import format_usd
from spendgate.model.policy import Boundary, Budget, CalendarWindow, RollingWindow, Rule, When

LATE_WORDS = "the call is late, so no budget looks at it"


def rule_words(rule: Rule) -> str:
    """``$500.00 a month per team, else deny`` and the like."""
    if rule.budget is not None:
        return _budget(rule.budget)
    if rule.boundary is not None:
        return f"{_fields(rule.boundary)}, else {rule.boundary.on_breach}"
    return f"review where {_fields(rule.review.when)}" if rule.review is not None else ""


def approved_words(rule: Rule, *, is_priced: bool = True) -> str:
    """What an approval of the rule means: ``within $500.00 a month (UTC) per team``."""
    if rule.budget is not None:
        return f"within {_cap(rule.budget)}" if is_priced else "approved, as calls without a price are"
    if rule.boundary is not None:
        return f"within the boundary: {_fields(rule.boundary)}"
    return f"no review needed, for that is where {_fields(rule.review.when)}" if rule.review is not None else "approved"


def kind_of(rule: Rule) -> str:
    """budget, boundary or review."""
    return "budget" if rule.budget is not None else "boundary" if rule.boundary is not None else "review"


def _budget(budget: Budget) -> str:
    return f"{_cap(budget)}, else {budget.on_breach}"


def _cap(budget: Budget) -> str:
    per = f" per {' and '.join(budget.per)}" if budget.per else ""
    return f"{format_usd(budget.cap_nano_usd)} {_window(budget)}{per}"


def _window(budget: Budget) -> str:
    window = budget.window
    if isinstance(window, CalendarWindow):
        return f"a {window.calendar} ({window.timezone})"
    return f"in any {window.rolling}" if isinstance(window, RollingWindow) else "in all"


def _fields(part: Boundary | When) -> str:
    given = part.model_dump(exclude_none=True, exclude={"on_breach"})
    return ", ".join(f"{name} {_value(value)}" for name, value in given.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_value(each)}" for name, each in value.items())
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)
