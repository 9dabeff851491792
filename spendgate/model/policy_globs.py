"""What can be said of globs without values: whether one takes in another, or shares nothing with it.

Both answers are cautious: True is certain, False means that it could not be shown.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from spendgate.model.text import NONE

_SPECIAL = "*?["


def is_literal(glob: str) -> bool:
    """Whether ``glob`` matches itself alone (``(none)`` matches the unknown value alone)."""
    return not any(char in glob for char in _SPECIAL)


def matches_any(globs: Iterable[str], value: str | None) -> bool:
    """Whether any of ``globs`` matches a value; None is the unknown one."""
    if value is None:
        return NONE in globs
    return any(glob != NONE and fnmatchcase(value, glob) for glob in globs)


def covers(outer: Iterable[str], inner: str) -> bool:
    """Whether every value that ``inner`` matches is matched by one glob of ``outer``."""
    return any(_covers(each, inner) for each in outer)


def covers_all(outer: Sequence[str], inner: Iterable[str]) -> bool:
    """Whether every value that a list matches is matched by another list."""
    return all(covers(outer, each) for each in inner)


def disjoint(globs: Iterable[str], others: Sequence[str]) -> bool:
    """Whether no value is matched by both lists."""
    return all(_disjoint(glob, other) for glob in globs for other in others)


def has_open_bracket(glob: str) -> bool:
    """Whether a ``[`` has no ``]`` to it, so that it stands for itself."""
    rest = glob
    while "[" in rest:
        after = rest[rest.index("[") + 1 :].removeprefix("!")
        if "]" not in after[1:]:
            return True
        rest = after[1:].split("]", 1)[1]
    return False


def _covers(outer: str, inner: str) -> bool:
    if outer == inner:
        return True
    if NONE in (outer, inner):
        return False
    if is_literal(inner):
        return fnmatchcase(inner, outer)
    return outer.endswith("*") and is_literal(outer[:-1]) and _prefix(inner).startswith(outer[:-1])


def _disjoint(glob: str, other: str) -> bool:
    if NONE in (glob, other):
        return glob != other
    if is_literal(glob):
        return not fnmatchcase(glob, other)
    if is_literal(other):
        return not fnmatchcase(other, glob)
    ours, theirs = _prefix(glob), _prefix(other)
    return not (ours.startswith(theirs) or theirs.startswith(ours))


def _prefix(glob: str) -> str:
    """What every value that ``glob`` matches starts with."""
    return glob[: next((i for i, char in enumerate(glob) if char in _SPECIAL), len(glob))]
