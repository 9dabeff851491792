"""What is wrong with a policy document, and where: the words a person reads."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from spendgate.model.text import echo_field

Path = tuple[str | int, ...]
"""The way from a document's root to a value: field names and list indices."""


class Place(NamedTuple):
    """Where something stands in a file; both count from 1, columns in characters."""

    line: int
    column: int


START = Place(1, 1)


class Problem(NamedTuple):
    """One finding: what was expected of a field. Never holds a value of the document.

    ``nearest`` is a word of the schema, of tzdata or of the caller's own list of known values.
    """

    place: Place
    field: str
    expected: str
    nearest: str | None = None

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        hint = f" (did you mean `{self.nearest}`?)" if self.nearest else ""
        return f"{field}{self.expected}{hint}"

    def line_of(self, name: str, label: str = "") -> str:
        """One line for a terminal: ``name:line:column: <label>field: what was expected``."""
        return f"{name}:{self.place.line}:{self.place.column}: {label}{self}"


class PolicyErrors(ValueError):
    """Every problem of one file, in the order of their places; ``str()`` has one line for each."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        self.name = name
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(problem.line_of(name) for problem in self.problems))


def place_of(path: Path, places: Mapping[Path, Place]) -> Place:
    """Where ``path`` stands, or what is nearest above it."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path, START)


def show_path(path: Path, known: Iterable[str]) -> str:
    """A path as ``spec.rules[0].budget``; names not ``known`` are shown only if like identifiers."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += f".{part if part in known else echo_field(part)}"
    return shown.removeprefix(".")


def nearest(word: object, choices: Iterable[str]) -> str | None:
    """The choice that ``word`` was most likely meant to be, whatever its case; None if none is near."""
    if not isinstance(word, str):
        return None
    by_folded = {_fold(choice): choice for choice in choices}
    close = get_close_matches(_fold(word[:64]), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")
