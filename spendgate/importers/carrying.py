"""What becomes of every field of an input: carried over, or listed with the reason why not.

A ``Carrying`` holds the whole input. An importer settles what it looks at; ``finish`` lists whatever nobody has
settled, so that a field which no importer knows is told too.
"""

from collections.abc import Iterator
from typing import NamedTuple

from spendgate.importers.reading import Data
from spendgate.model.policy_problems import Path
from spendgate.model.text import is_name

UNKNOWN = "no part of a spend limit that this importer knows"


class Note(NamedTuple):
    """A field, and why it was not carried or in what it is only approximated. Never holds a value."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{shown(self.path)}: {self.reason}"


def shown(path: Path) -> str:
    """``teams[0].max_budget``, ``provider_budget_config["azure/gpt"]``; a key that is no name is not repeated."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier() and is_name(part):
            text += f".{part}"
        else:
            text += f'["{part}"]' if is_name(part) else "[(a key)]"
    return text.removeprefix(".") or "the document"


class Carrying:
    """The fields of one document (or several: paths then begin with its number) and what became of them."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.not_carried: list[Note] = []
        self.approximated: list[Note] = []
        self._settled: set[Path] = set()
        self._above: set[Path] = set()
        self._noted: set[Note] = set()

    def at(self, path: Path) -> Data:
        """The value at ``path``, None where there is none."""
        found = self.data
        for part in path:
            if isinstance(found, dict) and isinstance(part, str):
                found = found.get(part)
            elif isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                return None
        return found

    def has(self, path: Path) -> bool:
        """Whether ``path`` says something."""
        return says_something(self.at(path))

    def carry(self, *paths: Path) -> None:
        """What stands at these paths is in a policy now."""
        self._settled |= set(paths)
        self._above |= {path[:length] for path in paths for length in range(len(path))}

    def leave(self, path: Path, reason: str) -> None:
        """What stands at ``path``, and is not settled yet, is not carried."""
        self.not_carried += [Note(each, reason) for each in self._open(path)]
        self.carry(path)

    def approximate(self, path: Path, reason: str) -> None:
        """What stands at ``path`` is carried, and means something else by as much as ``reason`` says."""
        note = Note(path, reason)
        if note not in self._noted:
            self._noted.add(note)
            self.approximated.append(note)

    def finish(self) -> None:
        """List all that was not settled."""
        self.leave((), UNKNOWN)

    def _open(self, path: Path) -> Iterator[Path]:
        """The outermost paths from ``path`` on that say something and hold nothing settled."""
        if any(path[:length] in self._settled for length in range(len(path) + 1)):
            return
        value = self.at(path)
        if not says_something(value):
            return
        if path not in self._above:
            yield path
        elif isinstance(value, dict):
            for name in value:
                yield from self._open((*path, name))
        elif isinstance(value, list):
            for index in range(len(value)):
                yield from self._open((*path, index))


def says_something(value: Data) -> bool:
    """Whether a value holds anything besides nulls and empty texts, lists and objects."""
    if isinstance(value, dict):
        return any(map(says_something, value.values()))
    if isinstance(value, list):
        return any(map(says_something, value))
    return value is not None and value != ""
