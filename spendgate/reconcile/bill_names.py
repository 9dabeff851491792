"""Which vendor and model a line of a bill, or a call, is about: other people's names made one."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path as FilePath

from pydantic import ConfigDict, Field, ValidationError

from spendgate.engine.globs import matcher
from spendgate.model.policy import Document
from spendgate.model.policy_problems import START, Place, PolicyErrors, Problem, place_of, show_path
from spendgate.model.policy_tree import TextError, read_trees
from spendgate.model.text import NONE

MAX_BYTES = 1 << 20
_FIELDS = ("vendors", "models", "from", "to", "vendor")


class ModelName(Document):
    """Models whose name matches ``from`` (a glob, any characters), of one vendor or of any, are called ``to``;
    ``(none)``: they are no model, and what they cost is unattributed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: str = Field(alias="from", min_length=1, max_length=256)
    to: str = Field(min_length=1, max_length=128)
    vendor: str | None = None


class BillNames(Document):
    """The names of a bill's vendors as events have them, and names of models, the first that matches. Both are applied
    to lines and to calls."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendors: dict[str, str] = Field(default_factory=dict)
    models: list[ModelName] = Field(default_factory=list)


PLAIN = BillNames()
"""Nothing is called otherwise."""
Name = tuple[str | None, str | None]
"""Vendor and model."""


def namer(names: BillNames) -> Callable[[str | None, str | None], Name]:
    """What a vendor's model is called. Vendors are compared, and told, in lower case."""
    vendors = {known.casefold(): called.casefold() for known, called in names.vendors.items()}
    tests = [(matcher([each.from_]), each) for each in names.models]

    @lru_cache(100_000)
    def name(vendor: str | None, model: str | None) -> Name:
        folded = None if vendor is None else vendors.get(vendor.casefold(), vendor.casefold())
        for matches, each in tests:
            if model is not None and matches(model) and each.vendor in (None, folded):
                return folded, None if each.to == NONE else each.to
        return folded, model

    return name


def read_names(path: FilePath) -> BillNames:
    """The mapping in a YAML or JSON file. Raises PolicyErrors, with a line for every problem, and OSError."""
    raw = path.read_bytes()
    if len(raw) > MAX_BYTES:
        raise PolicyErrors(str(path), [Problem(START, "", f"expected at most {MAX_BYTES >> 20} MiB")])
    try:
        trees = [tree for tree in read_trees(raw.decode("utf-8-sig")) if tree.data is not None or tree.faults]
    except UnicodeDecodeError as error:
        place = Place(raw.count(b"\n", 0, error.start) + 1, 1)
        raise PolicyErrors(str(path), [Problem(place, "", "expected UTF-8 text")]) from None
    except TextError as error:
        raise PolicyErrors(str(path), [Problem(error.fault.place, "", error.fault.expected)]) from None
    if len(trees) != 1:
        raise PolicyErrors(str(path), [Problem(START, "", f"expected one mapping of names, found {len(trees)}")])
    (tree,) = trees
    faults = [Problem(each.place, show_path(each.path, _FIELDS), each.expected) for each in tree.faults]
    try:
        names = BillNames.model_validate(tree.data)
    except ValidationError as error:
        found = [
            Problem(place_of(each["loc"], tree.values), show_path(each["loc"], _FIELDS), _words(each["type"]))
            for each in error.errors(include_url=False)
        ]
        raise PolicyErrors(str(path), [*faults, *found]) from None
    if faults:
        raise PolicyErrors(str(path), faults)
    return names


def _words(kind: str) -> str:
    return {
        "extra_forbidden": f"unknown field, expected one of {', '.join(_FIELDS)}",
        "missing": "required, and it is not there",
    }.get(kind, "expected text")
