"""Random policies, with small vocabularies: scopes overlap and caps are near."""

from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from spendgate.model.policy import CalendarWindow, Policy

T = TypeVar("T")
Draw = Callable[[SearchStrategy[Any]], Any]

GLOBS: dict[str, list[str]] = {
    "team": ["marketing", "growth-*", "?arketing", "[mM]arketing", "[!g]*", "*", "(none)"],
    "employee": ["ann", "b?b", "*", "(none)"],
    "customer": ["acme", "(none)"],
    "project": ["a*", "(none)"],
    "workflow": ["incident-*", "nightly", "(none)"],
    "agent": ["writer", "*"],
    "model": ["gpt-4*", "gpt-4o", "*-x", "*mini", "(none)"],
    "vendor": ["openai", "[a-m]*", "(none)"],
}
ZONES = [
    "UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Tokyo", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia", "America/St_Johns", "America/Havana", "Africa/Casablanca",
]  # fmt: skip
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
CALENDARS = ["hour", "day", "week", "month", "quarter", "year"]
ROLLINGS = ["1m", "7m", "90m", "24h", "3d", "400d"]
SEVERITIES = ["warn", "review", "deny"]
CAPS_USD = ["0", "0.5", "1", "1.000000001", "2.5", "5", "10", "9007199.254740991"]


def windows() -> SearchStrategy[dict[str, Any]]:
    """A budget's window, as a person writes it."""
    calendar = _calendar_windows()
    rolling = st.sampled_from(ROLLINGS).map(lambda length: {"rolling": length})
    return calendar | calendar | calendar | rolling | rolling | st.just({"lifetime": True})


def calendar_windows() -> SearchStrategy[CalendarWindow]:
    """A calendar window of any unit and zone."""
    return _calendar_windows().map(CalendarWindow.model_validate)


def _calendar_windows() -> SearchStrategy[dict[str, Any]]:
    zone = st.sampled_from(ZONES)
    week = {"calendar": st.just("week"), "timezone": zone, "week_starts": st.sampled_from(WEEKDAYS)}
    calendar = {"calendar": st.sampled_from(CALENDARS), "timezone": zone}
    return st.fixed_dictionaries(calendar) | st.fixed_dictionaries(week)


def budgets() -> SearchStrategy[dict[str, Any]]:
    """A budget."""
    return st.fixed_dictionaries(
        {
            "cap_usd": st.sampled_from(CAPS_USD),
            "window": windows(),
            "per": some(["team", "employee", "model"], at_least=0, at_most=2),
            "warn_at_percent": some([1, 33, 50, 80, 100], at_least=0, at_most=3),
            "on_breach": st.sampled_from(SEVERITIES),
        }
    )


def boundaries() -> SearchStrategy[dict[str, Any]]:
    """A boundary."""
    limits: dict[str, SearchStrategy[Any]] = {
        "models": _name_limits("model"),
        "vendors": _name_limits("vendor"),
        "max_cost_usd": st.sampled_from(["0", "0.25", "1"]),
        "max_input_tokens": st.sampled_from([0, 100]),
        "max_output_tokens": st.sampled_from([0, 100]),
    }
    severity = {"on_breach": st.sampled_from(SEVERITIES)}
    return _fields(limits, at_most=3).flatmap(lambda chosen: st.fixed_dictionaries(severity | chosen))


def reviews() -> SearchStrategy[dict[str, Any]]:
    """A review with at least one condition."""
    conditions: dict[str, SearchStrategy[Any]] = {
        "cost_usd_over": st.sampled_from(["0", "0.25", "1"]),
        "input_tokens_over": st.sampled_from([0, 100]),
        "output_tokens_over": st.sampled_from([0, 100]),
        "models": _globs("model"),
        "vendors": _globs("vendor"),
        "evidence_status": some(["present", "missing", "failed"], at_least=1, at_most=2),
    }
    when = _fields(conditions, at_most=2).flatmap(st.fixed_dictionaries)
    return st.fixed_dictionaries({"when": when})


def rules() -> SearchStrategy[dict[str, Any]]:
    """A rule; a budget more often than not."""
    budget = budgets().map(lambda rule: {"budget": rule})
    return (
        budget
        | budget
        | boundaries().map(lambda rule: {"boundary": rule})
        | reviews().map(lambda rule: {"review": rule})
    )


@st.composite
def policies(draw: Draw, name: str = "policy") -> Policy:
    """A policy of that name; it looks at every call two times out of three."""
    everything: SearchStrategy[dict[str, Any]] = st.just({})
    scope = draw(everything | everything | _selections().flatmap(_with_exclude))
    return Policy.model_validate(
        {
            "apiVersion": "spendgate/v1",
            "kind": "Policy",
            "metadata": {"name": name},
            "spec": {
                "scope": scope,
                "rules": draw(st.lists(rules(), min_size=1, max_size=4)),
                "on_unpriced": draw(st.sampled_from(SEVERITIES)),
            },
        }
    )


def some(values: list[T], *, at_least: int, at_most: int) -> SearchStrategy[list[T]]:
    """A few of ``values``, in any order, none twice."""
    return st.lists(st.sampled_from(values), min_size=at_least, max_size=at_most, unique=True)


def _globs(name: str) -> SearchStrategy[list[str]]:
    return some(GLOBS[name], at_least=1, at_most=2)


def _fields(choices: dict[str, SearchStrategy[Any]], *, at_most: int) -> SearchStrategy[dict[str, SearchStrategy[Any]]]:
    """At least one of the fields, each with what it is drawn from."""
    return some(sorted(choices), at_least=1, at_most=at_most).map(
        lambda chosen: {name: choices[name] for name in chosen}
    )


def _name_limits(name: str) -> SearchStrategy[dict[str, Any]]:
    limits = {"allow": _globs(name), "deny": _globs(name)}
    return _fields(limits, at_most=2).flatmap(st.fixed_dictionaries)


def _selections() -> SearchStrategy[dict[str, Any]]:
    """Lists for one or two fields."""
    return _fields({name: _globs(name) for name in GLOBS}, at_most=2).flatmap(st.fixed_dictionaries)


def _with_exclude(scope: dict[str, Any]) -> SearchStrategy[dict[str, Any]]:
    return st.just(scope) | _selections().map(lambda excluded: {**scope, "exclude": excluded})
