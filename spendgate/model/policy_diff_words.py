"""The words of a change between two policies; values are those of the canonical form."""

from collections.abc import Callable
from typing import Any

from spendgate.model.money import parse_usd
from spendgate.model.words import money

_UNITS = {"m": "minute", "h": "hour", "d": "day"}


def changed_words(name: str, before: Any, after: Any, *, scope: bool = False) -> str:
    """What a field was and what it is; None is a field that is not there."""
    if scope:
        return _scope_words(name, before, after)
    return _WORDS.get(name.rpartition(".")[2], _plain)(before, after)


def rule_words(kind: str, fields: dict[str, Any]) -> str:
    """A whole rule in one line: ``a budget of $500.00 in a calendar month (UTC), per team, deny``."""
    if kind == "budget":
        group = f", per {' and '.join(fields['per'])}" if fields["per"] else ""
        return f"a budget of {_usd(fields['cap_usd'])} {window_words(fields['window'])}{group}, {fields['on_breach']}"
    said = ", ".join(f"{name} {_value(name, value)}" for name, value in fields.items())
    return f"a {kind}: {said}"


def window_words(window: dict[str, Any]) -> str:
    """``in a calendar month (UTC)``, ``in any 24 hours``, ``for good``."""
    if "lifetime" in window:
        return "for good"
    if "rolling" in window:
        return f"in any {_duration(window['rolling'])}"
    starts = f", from {window['week_starts'].capitalize()}" if "week_starts" in window else ""
    article = "an" if window["calendar"] == "hour" else "a"
    return f"in {article} calendar {window['calendar']} ({window['timezone']}{starts})"


def _duration(text: str) -> str:
    number, unit = int(text[:-1]), text[-1]
    if (number, unit) == (1, "d"):
        return "24 hours"
    return f"{number} {_UNITS[unit]}s" if number > 1 else _UNITS[unit]


def _usd(text: str) -> str:
    return money(parse_usd(text))


def _value(name: str, value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return _usd(value) if "_usd" in name else str(value)


def _listed(values: list[str]) -> str:
    return ", ".join(values)


def _scope_words(name: str, before: list[str] | None, after: list[str] | None) -> str:
    excluded = name.startswith("exclude.")
    if before is None:
        return f"now {'leaves out' if excluded else 'looks only at'} {_listed(after or [])}"
    if after is None:
        return f"no longer {'leaves out' if excluded else 'limited to'} {_listed(before)}"
    gained, lost = [each for each in after if each not in before], [each for each in before if each not in after]
    parts = [f"adds {_listed(gained)}"] if gained else []
    return ", ".join(parts + ([f"drops {_listed(lost)}"] if lost else []))


def _amount(before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return _plain(before and _usd(before), after and _usd(after))
    way = "lowered" if parse_usd(after) < parse_usd(before) else "raised"
    shown = _usd(before), _usd(after)
    old, new = shown if shown[0] != shown[1] else (f"${before}", f"${after}")
    return f"{way} from {old} to {new}"


def _window(before: dict[str, Any], after: dict[str, Any]) -> str:
    return f"was {window_words(before)}, is {window_words(after)}"


def _per(before: list[str], after: list[str]) -> str:
    def words(fields: list[str]) -> str:
        return f"one counter per {' and '.join(fields)}" if fields else "one shared counter"

    return f"was {words(before)}, is {words(after)}"


def _percents(before: list[int], after: list[int]) -> str:
    def words(percents: list[int]) -> str:
        return ", ".join(f"{percent} %" for percent in percents) or "nothing"

    return f"warned at {words(before)}, warns at {words(after)}"


def _severity(before: str, after: str) -> str:
    return f"was {before}, is {after}"


def _globs(before: list[str] | None, after: list[str] | None) -> str:
    if before is None or after is None:
        return _plain(before, after)
    return _scope_words("", before, after)


def _plain(before: Any, after: Any) -> str:
    if before is None:
        return f"added: {_value('', after)}"
    if after is None:
        return f"removed: {_value('', before)}"
    return f"was {_value('', before)}, is {_value('', after)}"


_WORDS: dict[str, Callable[[Any, Any], str]] = {
    "cap_usd": _amount,
    "max_cost_usd": _amount,
    "cost_usd_over": _amount,
    "window": _window,
    "per": _per,
    "warn_at_percent": _percents,
    "on_breach": _severity,
    "on_unpriced": _severity,
    "fail_mode": _severity,
    "on_review": _severity,
    "allow": _globs,
    "deny": _globs,
    "models": _globs,
    "vendors": _globs,
    "evidence_status": _globs,
}
