"""Whether a message is in our own words: nothing that came in from outside may stand in it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

import ruamel.yaml

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "spendgate", ROOT / "gateway_shadow", Path(ruamel.yaml.__file__).parent)
"""Where our words come from; the YAML parser's own stand in some messages."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_NUMBER = re.compile(r"\d{8,}")
_NUMBERS = {str(2**53 - 1), str(2**20)}
"""Numbers that stand in messages and are worked out."""
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}|\((?:row|not an identifier)\)", re.ASCII)


def foreign(text: str) -> list[str]:
    """The words of three letters and more, and the numbers of eight digits and more, that none of our sources has."""
    return [
        *(word for word in _WORD.findall(text) if word.lower() not in our_words()),
        *(number for number in _NUMBER.findall(text) if number not in our_words() and number not in _NUMBERS),
    ]


def is_field(name: str | None) -> bool:
    """Whether this can be the name of a field: one of ours, or what looks like one and is no value."""
    return name is None or name in _constants() or _FIELD.fullmatch(name) is not None


@cache
def _constants() -> frozenset[str]:
    """Every text and every number that stands in our sources."""
    found: set[str] = set()
    for source in SOURCES:
        for path in source.rglob("*.py"):
            found.update(_texts(path))
    return frozenset(found)


def _texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
            yield str(node.value)
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@cache
def our_words() -> frozenset[str]:
    """The words and numbers that our sources have, read once."""
    zones = resources.files("tzdata").joinpath("zones").read_text("ascii")
    words = {word.lower() for text in (*_constants(), zones) for word in _WORD.findall(text)}
    return frozenset(words) | {number for text in _constants() for number in _NUMBER.findall(text)}
