"""Cursors of lists that are in order of an instant and then of an id."""

import re

from gateway_shadow.problems import FieldProblem, Problem

_SHAPE = re.compile(r"([0-9]{1,15})-([a-z]{3}-[0-9a-f]{1,60})", re.ASCII)


def cursor_of(at_ms: int, id_: str) -> str:
    """Where a page ends that ends with this one."""
    return f"{at_ms}-{id_}"


def place_of(cursor: str, prefix: str) -> tuple[int, str]:
    """The instant (ms) and the id that a cursor names, an id that begins with ``prefix``. Raises Problem 422."""
    found = _SHAPE.fullmatch(cursor)
    if found is None or not found[2].startswith(prefix):
        wanted = FieldProblem(field="after", expected="the `next` of a page, as it was given")
        raise Problem(422, "bad_field", "see errors", [wanted])
    return int(found[1]), found[2]
