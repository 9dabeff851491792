"""The values that are known to occur in scope fields: from a list that someone keeps or from events."""

from collections.abc import Iterable
from typing import Any

import msgspec

from spendgate.model.event import SCOPE_FIELDS
from spendgate.model.unreadable import UNREADABLE

KnownValues = dict[str, list[str]]

_list_decoder = msgspec.json.Decoder(dict[str, list[str]])
_Owners = msgspec.defstruct("_Owners", [(name, str | None, None) for name in SCOPE_FIELDS])
_line_decoder = msgspec.json.Decoder(_Owners | list[_Owners])  # type: ignore[valid-type]  # (made from SCOPE_FIELDS)


class KnownValuesError(ValueError):
    """A source of known values that can't be read; the message says what was expected, and holds no value."""


def parse_known(raw: bytes) -> KnownValues:
    """Known values from JSON: by scope field a list of values. Raises KnownValuesError."""
    try:
        known = _list_decoder.decode(raw)
    except UNREADABLE:
        raise KnownValuesError('expected JSON such as {"team": ["marketing"]}') from None
    if not known.keys() <= set(SCOPE_FIELDS):
        raise KnownValuesError(f"expected only the fields {', '.join(SCOPE_FIELDS)}")
    return known


def known_from_events(lines: Iterable[bytes]) -> KnownValues:
    """Known values from JSON lines, each an event or an array of events; a field with no value is left out.

    Other fields of an event are not looked at. Raises KnownValuesError.
    """
    found: dict[str, set[str]] = {name: set() for name in SCOPE_FIELDS}
    for number, line in enumerate(lines, 1):
        for owners in _events(line, number):
            for name, values in found.items():
                if (value := getattr(owners, name)) is not None:
                    values.add(value)
    return {name: sorted(values) for name, values in found.items() if values}


def _events(line: bytes, number: int) -> list[Any]:
    if not line.strip():
        return []
    try:
        decoded = _line_decoder.decode(line)
    except UNREADABLE:
        raise KnownValuesError(f"line {number}: expected an event, or an array of events, as JSON") from None
    return decoded if isinstance(decoded, list) else [decoded]
