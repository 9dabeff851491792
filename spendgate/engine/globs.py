"""Lists of globs: case-sensitive ``*``, ``?``, ``[...]``; a list matches a known value only, ``(none)`` an unknown."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate

from spendgate.model.text import NONE

Matcher = Callable[[str | None], bool]


def matcher(globs: Iterable[str]) -> Matcher:
    """A predicate on a field's value (None where unknown): whether any glob of the list matches it."""
    known = [glob for glob in globs if glob != NONE]
    none_matches = NONE in set(globs)
    pattern = re.compile("|".join(translate(glob) for glob in known)) if known else None

    def matches(value: str | None) -> bool:
        if value is None:
            return none_matches
        return pattern is not None and pattern.match(value) is not None

    return matches


def name_check(allow: Iterable[str] | None, deny: Iterable[str] | None) -> Matcher:
    """A predicate on a name: whether it is denied, or not among the allowed (a denial wins)."""
    allowed = matcher(allow) if allow is not None else None
    denied = matcher(deny) if deny is not None else None

    def refused(value: str | None) -> bool:
        return (denied is not None and denied(value)) or (allowed is not None and not allowed(value))

    return refused
