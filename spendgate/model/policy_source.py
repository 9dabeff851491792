"""Policies from text: every problem of a file at once, each with its line, column and what was expected.

A file holds one policy or several (YAML documents, cut by ``---``), each with its cases. Rules that tie the fields
of one part together are looked at once the fields of that part are sound, so mending them can bring one more problem.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from spendgate.model import policy as documents
from spendgate.model.policy import Document, Policy
from spendgate.model.policy_cases import CaseCall, CaseEvent, CaseReason, PolicyCase, PolicyFile
from spendgate.model.policy_problems import (
    START,
    Path,
    Place,
    PolicyErrors,
    Problem,
    nearest,
    place_of,
    show_path,
)
from spendgate.model.policy_tree import Fault, TextError, Tree, read_trees

MAX_BYTES = 1 << 20
_TOO_LONG = Problem(START, "", f"expected at most {MAX_BYTES >> 20} MiB")

PARTS: dict[str, type[Document]] = {
    "": PolicyFile,
    "metadata": documents.Metadata,
    "spec": documents.Spec,
    "scope": documents.Scope,
    "exclude": documents.Selection,
    "rules": documents.Rule,
    "budget": documents.Budget,
    "calendar": documents.CalendarWindow,
    "rolling": documents.RollingWindow,
    "lifetime": documents.LifetimeWindow,
    "boundary": documents.Boundary,
    "models": documents.NameLimit,
    "vendors": documents.NameLimit,
    "review": documents.Review,
    "when": documents.When,
    "enforcement": documents.Enforcement,
    "tests": PolicyCase,
    "defaults": CaseCall,
    "events": CaseEvent,
    "because": CaseReason,
}
"""The model that describes what stands under a field; a window's by its kind."""
FIELD_NAMES = frozenset(name for part in PARTS.values() for name in part.model_fields)

_WORDS = {
    "missing": "required, and it is not there",
    "extra_forbidden": "unknown field",
    "string_type": "expected text; put it in quotes",
    "string_unicode": "expected Unicode text",
    "string_too_long": "expected at most {max_length} characters",
    "list_type": "expected a list, such as [a, b]",
    "tuple_type": "expected a list, such as [a, b]",
    "too_short": "expected at least {min_length} entry",
    "too_long": "expected at most {max_length} entries",
    "int_type": "expected a whole number",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "model_type": "expected fields, such as `name: value`",
    "window_kind": "expected exactly one of calendar, rolling, lifetime, such as {{calendar: month}}",
}


@dataclass(frozen=True)
class Sourced:
    """A policy, where its parts stand in the file that it came from, and the cases that the file has for it."""

    policy: Policy
    name: str
    places: Mapping[Path, Place]
    cases: tuple[PolicyCase, ...] = ()

    def place(self, path: Path = ()) -> Place:
        """Where ``path`` stands, or the nearest thing above it."""
        return place_of(path, self.places)


def read_policy(text: str, name: str) -> Policy:
    """The one policy in ``text``; ``name`` is the file's, for messages. Raises PolicyErrors."""
    policies = read_policies(text, name)
    if len(policies) != 1:
        raise PolicyErrors(name, [Problem(START, "", f"expected one policy, found {len(policies)}")])
    return policies[0]


def read_policies(text: str, name: str) -> list[Policy]:
    """All policies in ``text``, at least one. Raises PolicyErrors if any of them has a problem."""
    sourced, problems = check_text(text, name)
    if problems:
        raise PolicyErrors(name, problems)
    return [each.policy for each in sourced]


def check_bytes(raw: bytes, name: str) -> tuple[list[Sourced], list[Problem]]:
    """As ``check_text``, from UTF-8 bytes (a byte order mark is ignored)."""
    if len(raw) > MAX_BYTES:
        return [], [_TOO_LONG]
    try:
        return check_text(raw.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        return [], [Problem(Place(raw.count(b"\n", 0, error.start) + 1, 1), "", "expected UTF-8 text")]


def check_text(text: str, name: str) -> tuple[list[Sourced], list[Problem]]:
    """The sound policies in ``text``, and every problem of the others, in the order of their places."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        return [], [_TOO_LONG]
    sourced: list[Sourced] = []
    problems: list[Problem] = []
    try:
        for tree in read_trees(text):
            file, found = _read_tree(tree)
            problems += found
            if file:
                sourced.append(Sourced(file.policy, name, tree.values, file.tests))
    except TextError as error:
        problems.append(_fault_problem(error.fault))
    if not sourced and not problems:
        problems.append(Problem(START, "", "expected a policy, and there is none"))
    return sourced, sorted(problems, key=lambda problem: problem.place)


def _read_tree(tree: Tree) -> tuple[PolicyFile | None, list[Problem]]:
    if tree.data is None and not tree.faults:
        return None, []
    faults = [_fault_problem(fault) for fault in tree.faults]
    try:
        file = PolicyFile.model_validate(tree.data)
    except ValidationError as error:
        return None, faults + _problems(error, tree)
    return None if faults else file, faults


def _fault_problem(fault: Fault) -> Problem:
    return Problem(fault.place, show_path(fault.path, FIELD_NAMES), fault.expected)


def _problems(error: ValidationError, tree: Tree) -> list[Problem]:
    void = [fault.path for fault in tree.faults if fault.void]
    found = [(_document_path(each["loc"]), each) for each in error.errors(include_url=False)]
    told = [(path, each) for path, each in found if not any(_related(path, other) for other in void)]
    problems = {path: _problem(path, each, tree) for path, each in told}
    meant = {(path[:-1], problem.nearest) for path, problem in problems.items() if problem.nearest}
    return [problems[path] for path, each in told if each["type"] != "missing" or (path[:-1], path[-1]) not in meant]


def _document_path(loc: Path) -> Path:
    """Pydantic's location without the kind of window that it puts after ``window``."""
    return tuple(part for i, part in enumerate(loc) if not (i and loc[i - 1] == "window" and _is_kind(loc, i)))


def _is_kind(loc: Path, index: int) -> bool:
    return loc[index] in documents.WINDOW_KINDS and loc[index - 2] == "budget"


def _related(path: Path, other: Path) -> bool:
    shorter = min(len(path), len(other))
    return path[:shorter] == other[:shorter]


def _problem(path: Path, error: ErrorDetails, tree: Tree) -> Problem:
    place = place_of(path, tree.keys if error["type"] == "extra_forbidden" else tree.values)
    near = nearest(_word(error), _choices(error))
    return Problem(place, show_path(path, FIELD_NAMES), _expected(path, error), near)


def _word(error: ErrorDetails) -> object:
    """What was written where one of ``_choices`` should stand."""
    if error["type"] == "extra_forbidden":
        return error["loc"][-1]
    if error["type"] == "window_kind" and isinstance(error["input"], dict):
        return next((key for key in error["input"] if key not in documents.WINDOW_KINDS), None)
    return error["input"]


def _expected(path: Path, error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        words = ", ".join(_quoted(context["expected"]))
        return f"expected one of {words}" if "," in words else f"expected {words}"
    if kind == "string_type" and "usd" in str(path[-1]):
        return 'expected dollars as a quoted string, such as "500"'
    if kind.startswith("int_"):
        kind = "int_type"
    return _WORDS.get(kind, "expected another kind of value").format(**context)


def _choices(error: ErrorDetails) -> Iterable[str]:
    """The words that the document could have held here."""
    loc = error["loc"]
    if error["type"] == "extra_forbidden":
        above = [part for part in loc[:-1] if isinstance(part, str)]
        return PARTS[above[-1] if above else ""].model_fields
    if error["type"] == "literal_error":
        words = _quoted(error["ctx"]["expected"])
        return words if len(words) > 1 else ()
    if error["type"] == "window_kind":
        return documents.WINDOW_KINDS
    return _zone_names() if loc[-1:] == ("timezone",) else ()


def _quoted(expected: str) -> list[str]:
    return re.findall(r"'([^']*)'", expected)


@cache
def _zone_names() -> tuple[str, ...]:
    return tuple(resources.files("tzdata").joinpath("zones").read_text("ascii").split())
