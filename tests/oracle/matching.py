"""Globs, scopes and counter keys."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from spendgate.model.event import SCOPE_FIELDS, Event
from spendgate.model.policy import NameLimit, Scope, Selection
from spendgate.model.text import NONE


def among(value: str | None, globs: Sequence[str]) -> bool:
    """Whether a list of globs matches: a known value by glob, an unknown one by ``(none)`` alone."""
    if value is None:
        return NONE in globs
    return any(fnmatchcase(value, glob) for glob in globs if glob != NONE)


def in_scope(scope: Scope, call: Event) -> bool:
    """Whether the policy looks at the call."""
    selected = all(among(getattr(call, field), globs) for field, globs in _lists(scope))
    excluded = scope.exclude is not None and any(
        among(getattr(call, field), globs) for field, globs in _lists(scope.exclude)
    )
    return selected and not excluded


def refused(value: str | None, limit: NameLimit | None) -> bool:
    """Whether a boundary's limit on names refuses the value; a denial wins over an allowance (reading 11)."""
    if limit is None:
        return False
    denied = limit.deny is not None and among(value, limit.deny)
    return denied or (limit.allow is not None and not among(value, limit.allow))


def counter_key(per: Sequence[str], call: Event) -> str:
    """The counter of a call, as text: ``team=marketing employee=(none)``, or ``all`` for the shared one.

    No value holds a space, so two counters never share a text.
    """
    values = [f"{field}={getattr(call, field) or NONE}" for field in per]
    return " ".join(values) or "all"


def _lists(selection: Selection) -> list[tuple[str, list[str]]]:
    stated = [(field, getattr(selection, field)) for field in SCOPE_FIELDS]
    return [(field, globs) for field, globs in stated if globs is not None]
