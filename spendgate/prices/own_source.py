"""A price table from text: every problem at once, each with its line, column and what was expected."""

import re
from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from spendgate.model.policy import Document, Metadata
from spendgate.model.policy_problems import START, Path, Place, PolicyErrors, Problem, nearest, place_of, show_path
from spendgate.model.policy_tree import Fault, TextError, Tree, read_trees
from spendgate.prices.own_table import ListName, Match, OwnPrice, OwnTable, PerMillionTokens

MAX_BYTES = 1 << 20
_LITERAL = re.compile(r"'([^']*)'")

_PARTS: dict[str, type[Document]] = {
    "": OwnTable,
    "metadata": Metadata,
    "prices": OwnPrice,
    "match": Match,
    "per_million_tokens": PerMillionTokens,
    "list_price_of": ListName,
}
_FIELDS = {name: tuple(field.alias or key for key, field in part.model_fields.items()) for name, part in _PARTS.items()}
_FIELD_NAMES = frozenset(name for names in _FIELDS.values() for name in names)

_WORDS = {
    "missing": "required, and it is not there",
    "extra_forbidden": "unknown field",
    "string_type": "expected text; put it in quotes",
    "list_type": "expected a list, such as [a, b]",
    "too_short": "expected at least {min_length} entry",
    "too_long": "expected at most {max_length} entries",
    "string_too_long": "expected at most {max_length} characters",
    "model_type": "expected fields, such as `name: value`",
}
_QUOTED = {
    "_usd": 'expected dollars as a quoted string, such as "2.50"',
    "_percent": 'expected a percentage as a quoted string, such as "12.5"',
}


class PriceErrors(PolicyErrors):
    """Every problem of one price table, in the order of their places; ``str()`` has one line for each."""


def read_own(raw: bytes, name: str) -> OwnTable:
    """The price table in UTF-8 YAML or JSON; ``name`` is the file's, for messages. Raises PriceErrors."""
    table, problems = check_own(raw)
    if table is None:
        raise PriceErrors(name, problems)
    return table


def check_own(raw: bytes) -> tuple[OwnTable | None, list[Problem]]:
    """The table, or None and all of its problems in the order of their places."""
    if len(raw) > MAX_BYTES:
        return None, [Problem(START, "", f"expected at most {MAX_BYTES >> 20} MiB")]
    try:
        trees = [tree for tree in read_trees(raw.decode("utf-8-sig")) if tree.data is not None or tree.faults]
    except UnicodeDecodeError as error:
        return None, [Problem(Place(raw.count(b"\n", 0, error.start) + 1, 1), "", "expected UTF-8 text")]
    except TextError as error:
        return None, [_of_fault(error.fault)]
    if len(trees) != 1:
        return None, [Problem(START, "", f"expected one price table, found {len(trees)}")]
    return _read(trees[0])


def _read(tree: Tree) -> tuple[OwnTable | None, list[Problem]]:
    faults = [_of_fault(fault) for fault in tree.faults]
    try:
        table = OwnTable.model_validate(tree.data)
    except ValidationError as error:
        void = {fault.path for fault in tree.faults if fault.void}
        found = [_problem(each, tree) for each in error.errors(include_url=False) if each["loc"] not in void]
        return None, sorted(faults + found, key=lambda problem: problem.place)
    return (None, faults) if faults else (table, [])


def _of_fault(fault: Fault) -> Problem:
    return Problem(fault.place, show_path(fault.path, _FIELD_NAMES), fault.expected)


def _problem(error: ErrorDetails, tree: Tree) -> Problem:
    path = error["loc"]
    unknown = error["type"] == "extra_forbidden"
    near = nearest(path[-1], _fields_beside(path)) if unknown else None
    place = place_of(path, tree.keys if unknown else tree.values)
    return Problem(place, show_path(path, _FIELD_NAMES), _expected(error), near)


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return "expected " + ", ".join(_LITERAL.findall(context["expected"]))
    if kind == "string_type" and error["loc"]:
        quoted = (words for end, words in _QUOTED.items() if str(error["loc"][-1]).endswith(end))
        return next(quoted, _WORDS[kind])
    return _WORDS.get(kind, "expected another kind of value").format(**context)


def _fields_beside(path: Path) -> Iterable[str]:
    above = [part for part in path[:-1] if isinstance(part, str)]
    return _FIELDS.get(above[-1] if above else "", ())
