"""What is wrong with a row, said by field and expectation. A value is never repeated."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from difflib import get_close_matches

import msgspec
from msgspec import Struct
from msgspec.inspect import (
    BoolType,
    DateTimeType,
    IntType,
    LiteralType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from spendgate.model.event import Event, encode_events
from spendgate.model.text import EXPECTED, all_allowed, echo_field, is_name

ROW = "(row)"
"""The field of a problem that lies in no single field."""


class InputError(ValueError):
    """The file as a whole cannot be read. The message is fit for a user."""


class Refused(Struct, frozen=True, omit_defaults=True):
    """A row that is no event: its line (a Parquet file's row), from 1, the field, and what was expected there.

    ``cost_nano_usd``: the money that it stands for, where that can be read. ``file``: its place in a folder.
    """

    line: int
    field: str
    expected: str
    cost_nano_usd: int | None = None
    file: str | None = None

    def __str__(self) -> str:
        """``line 3: team: expected ...``, after the name of the file where there are several."""
        where = "" if self.file is None else f"{self.file}: "
        return f"{where}line {self.line}: {self.field}: expected {self.expected}"


class RowProblem(ValueError):
    """Raised while one row is read; becomes a Refused."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected


def _words(kind: Type) -> str:
    match kind:
        case UnionType():
            return _words(kind.types[0])
        case IntType():
            return "a whole number from 0 to 2^53 - 1"
        case DateTimeType():
            return "an RFC 3339 time with its offset from UTC"
        case LiteralType():
            return "one of " + ", ".join(str(value) for value in kind.values)
        case BoolType():
            return "true or false"
        case _:
            return EXPECTED


_INFO = type_info(Event)
FIELD_TYPES: dict[str, Type] = {f.name: f.type for f in _INFO.fields} if isinstance(_INFO, StructType) else {}
"""The fields of an event and their msgspec types."""
EXPECTED_OF = {name: _words(kind) for name, kind in FIELD_TYPES.items()}
"""What each field of an event expects, in words."""
_TEXT_FIELDS = tuple(name for name, words in EXPECTED_OF.items() if words == EXPECTED)
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Between which an event may have taken place; the later one is out."""
COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_ ]{0,39}", re.ASCII)
_PLACE = re.compile(r"`\$\.([a-z_]+)`$", re.ASCII)


def problem_of(error: msgspec.ValidationError) -> RowProblem:
    """The field that msgspec stumbled over. Of its message only the place is used; the rest may hold data."""
    place = _PLACE.search(str(error))
    if place is None or place[1] not in EXPECTED_OF:
        return RowProblem(ROW, "one event, as a JSON object")
    return RowProblem(place[1], EXPECTED_OF[place[1]])


def nearest(name: str, names: Iterable[str]) -> str:
    """``; the nearest is X`` where one of the names is like ``name`` and looks like a column's, else nothing: the first
    line of a file without a header is data."""
    by_lower = {other.lower(): other for other in names if COLUMN.fullmatch(other)}
    found = get_close_matches(name.lower(), by_lower, 1, 0.5)
    return f"; the nearest is {by_lower[found[0]]}" if found else ""


def unknown_field(name: str) -> RowProblem:
    """A field that the schema does not know."""
    return RowProblem(echo_field(name), "a field of the event's schema")


def check_event(event: Event) -> Event:
    """The event itself, if the log would take it (``spendgate.model.decode``). Raises RowProblem."""
    if not all_allowed(encode_events(event)):
        for name in _TEXT_FIELDS:
            text = getattr(event, name)
            if text is not None and not is_name(text):
                raise RowProblem(name, EXPECTED)
    if not EARLIEST <= event.time < LATEST:
        raise RowProblem("time", "a time from 1970-01-02 to 2200")
    if event.cost_source is not None and (event.cost_source == "unpriced") == (event.cost_nano_usd is not None):
        raise RowProblem("cost_source", "unpriced without cost_nano_usd, provided or priced with it")
    if event.kind != "call":
        _check_annotation(event)
    return event


def _check_annotation(event: Event) -> None:
    if event.refers_to is None:
        raise RowProblem("refers_to", "the id of the call that an annotation is about")
    if event.kind == "correction" and event.cost_nano_usd is None:
        raise RowProblem("cost_nano_usd", "the cost that the call should have had")
    if event.kind == "outcome" and event.outcome is None and event.evidence_status is None:
        raise RowProblem("outcome", "an outcome or an evidence_status")
