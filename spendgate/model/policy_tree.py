"""YAML or JSON text as plain data with positions: the core schema of YAML 1.2 and nothing that surprises.

JSON is read as the YAML that it is. Refused, each with its place: aliases (a few bytes can unfold to
gigabytes), tags, duplicate keys, empty values, and nesting beyond ``MAX_DEPTH``. The tree is built from the
parser's events, so depth is refused before the parser has gone there: its time grows with the depth squared.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from spendgate.model.policy_problems import START, Path, Place

Data: TypeAlias = "bool | int | float | str | list[Data] | dict[str, Data] | None"

MAX_DEPTH = 32
MAX_NUMBER_CHARS = 40
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_PLAIN: dict[str, Data] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "-.inf", ".nan", ".NaN", ".NAN"), float("inf")),
}
_SAFE_REASON = re.compile(r"(?:[a-z ,-]|'<[a-z ]+>'|'[:\-,?]')+")


@dataclass
class Fault:
    """Something that the text itself has wrong, before any field has a meaning."""

    path: Path
    place: Place
    expected: str
    void: bool = True
    """Whether the value at ``path`` is unusable, so that nothing else need be said of it."""


class TextError(Exception):
    """The text can't be read on from here."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.expected)
        self.fault = fault


@dataclass
class Tree:
    """One document: its data, where each value and each field's key stands, and its faults."""

    data: Data = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def read_trees(text: str) -> Iterator[Tree]:
    """The documents of ``text``, empty ones included. Raises TextError where it can't be read on."""
    events: Iterator[Event] = iter(YAML(typ="safe", pure=True).parse(text))
    try:
        for event in events:
            if isinstance(event, DocumentStartEvent):
                yield _Builder(events).document()
    except MarkedYAMLError as error:
        raise TextError(_syntax_fault(error)) from None
    except ReaderError as error:
        raise TextError(Fault((), _place_at(text, error.position), "expected printable text")) from None
    except (YAMLError, ValueError, OverflowError):  # the scanner lets chr()'s errors through
        raise TextError(Fault((), START, "expected valid YAML or JSON")) from None


def _syntax_fault(error: MarkedYAMLError) -> Fault:
    """The parser's own words, unless they could repeat what stands in the text."""
    mark = error.problem_mark or error.context_mark
    place = Place(mark.line + 1, mark.column + 1) if mark else START
    reason = error.problem or ""
    shown = f" ({reason})" if _SAFE_REASON.fullmatch(reason) else ""
    return Fault((), place, f"expected valid YAML or JSON{shown}")


def _place_at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def _place(event: Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


class _Builder:
    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._tree = Tree()

    def document(self) -> Tree:
        self._tree.data = self._node(next(self._events), ())
        return self._tree

    def _fault(self, place: Place, path: Path, expected: str, *, void: bool = True) -> None:
        self._tree.faults.append(Fault(path, place, expected, void))

    def _node(self, event: Event, path: Path) -> Data:
        self._tree.values[path] = _place(event)
        if isinstance(event, AliasEvent):
            self._fault(_place(event), path, "expected no aliases (*name): write the value out")
            return None
        if getattr(event, "tag", None) is not None:
            self._fault(_place(event), path, "expected no tags (!name)")
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if len(path) >= MAX_DEPTH:
            raise TextError(Fault(path, _place(event), f"expected at most {MAX_DEPTH} levels"))
        return self._list(path) if isinstance(event, SequenceStartEvent) else self._mapping(path)

    def _scalar(self, event: ScalarEvent, path: Path) -> Data:
        value = _plain(event.value) if event.implicit[0] else _joined(event.value)
        if value is None and path:
            place = self._tree.keys.get(path, _place(event))
            self._fault(place, path, "expected a value; leave the field out if there is none")
        return value

    def _list(self, path: Path) -> list[Data]:
        items: list[Data] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Data]:
        fields: dict[str, Data] = {}
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            self._field(event, path, fields)
        return fields

    def _field(self, event: Event, path: Path, fields: dict[str, Data]) -> None:
        name = event.value if isinstance(event, ScalarEvent) else ""
        known = isinstance(event, ScalarEvent) and event.tag is None and name.isprintable()
        if known and name not in fields:
            self._tree.keys[*path, name] = _place(event)
            fields[name] = self._node(next(self._events), (*path, name))
            return
        expected = "expected each field once" if known else "expected a plain field name"
        self._fault(_place(event), (*path, name) if known else path, expected, void=False)
        self._skip_pair(event, path)

    def _skip_pair(self, key: Event, path: Path) -> None:
        kept, self._tree = self._tree, Tree()
        if not isinstance(key, ScalarEvent):
            self._node(key, (*path, ""))
        self._node(next(self._events), (*path, ""))
        self._tree = kept


def _plain(text: str) -> Data:
    """An unquoted scalar by the YAML 1.2 core schema; a number too long to be meant is an infinity."""
    if text in _PLAIN:
        return _PLAIN[text]
    if _INT.fullmatch(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) <= MAX_NUMBER_CHARS else float("inf")
    if _FLOAT.fullmatch(text):
        return float(text)
    return _joined(text)


def _joined(text: str) -> str:
    """Text in which JSON's escaped surrogate pairs are the characters that they stand for."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
