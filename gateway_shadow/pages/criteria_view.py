"""Criteria of the gate as the fields of a form, each with its limits, and back. Pure.

A field is named by its place in the API's document, ``rules.events``, so an error stands at its field.
"""

from collections.abc import Mapping
from typing import NamedTuple

from gateway_shadow.pages.forms import whole
from gateway_shadow.pages.words import exact_usd
from gateway_shadow.problems import Problem
from spendgate.model.money import MoneyError, parse_usd
from spendgate.reconcile.gate_rules import GateRules

LABELS: Mapping[str, str] = {
    "events": "Calls compared, at least",
    "hours": "Hours observed, at least",
    "near_cap": "Calls near a cap, at least",
    "near_cap_percent": "Near is within so many percent of the cap",
    "long_window_days": "Days that are enough for a window over a month",
    "lag_ms": "99 of 100 decisions are made within, ms",
    "bill_ppm": "A bucket of the bill may differ by, parts per million",
    "bill_nano_usd": "Or by, US dollars, if that is more",
    "max_age_hours": "The latest reconciliation is at most so many hours old",
    "certificate_days": "A certificate holds for, days",
}
_MONEY = "bill_nano_usd"


class Line(NamedTuple):
    """One criterion. ``shown``: as people read it; ``typed``: what its field holds; ``limits``: in words."""

    field: str
    label: str
    shown: str
    typed: str
    limits: str


def lines(rules: GateRules, typed: Mapping[str, str] | None = None) -> list[Line]:
    """Every criterion, with what somebody has typed in the place of what holds."""
    return [_line(name, getattr(rules, name), typed) for name in LABELS]


def rules_of(form: Mapping[str, str]) -> dict[str, int | str]:
    """What a form says, for the API's document."""
    return {name: _number(name, form.get(f"rules.{name}", "").strip()) for name in LABELS}


def worded(problem: Problem | None) -> Problem | None:
    """The same, each error with the limits in the unit of its field."""
    if problem is None:
        return None
    limits = {each.field: f"expected {each.limits}" for each in lines(GateRules())}
    errors = [
        each.model_copy(update={"expected": limits.get(each.field or "", each.expected)}) for each in problem.errors
    ]
    return Problem(problem.status_code, problem.code, problem.detail, errors)


def _line(name: str, value: int, typed: Mapping[str, str] | None) -> Line:
    least, most = _limits(name)
    words = (
        f"{_words(name, least)} to {_words(name, most)}; {_words(name, GateRules.model_fields[name].default)} is usual"
    )
    said = _words(name, value).replace(",", "").removeprefix("$")
    return Line(
        f"rules.{name}", LABELS[name], _words(name, value),
        said if typed is None else typed.get(f"rules.{name}", ""), words,
    )  # fmt: skip


def _limits(name: str) -> tuple[int, int]:
    found = GateRules.model_fields[name].metadata
    least = next(each.ge for each in found if getattr(each, "ge", None) is not None)
    return least, next(each.le for each in found if getattr(each, "le", None) is not None)


def _words(name: str, value: int) -> str:
    return f"${exact_usd(value)}" if name == _MONEY else f"{value:,}"


def _number(name: str, text: str) -> int | str:
    if name != _MONEY:
        return whole(text)
    try:
        return parse_usd(text)
    except MoneyError:
        return text
