"""JSON lines: one event a line, or an array of events a line."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from spendgate.ledger.own_exports import PLACED
from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_options import DEFAULT_TENANT, ReadOptions
from spendgate.ledger.reader_problem import (
    EXPECTED_OF,
    FIELD_TYPES,
    ROW,
    Refused,
    RowProblem,
    check_event,
    problem_of,
    unknown_field,
)
from spendgate.model.event import Event
from spendgate.model.money import MAX_COST_NANO_USD
from spendgate.model.unreadable import UNREADABLE

_decode_event = msgspec.json.Decoder(Event).decode
_EXPORTED = frozenset(PLACED)
"""A row that has all of these is one of our own exports; where it stood in a log is not read."""
_decode_any = msgspec.json.Decoder().decode


def read_jsonl(lines: Lines, options: ReadOptions) -> Iterator[Event | Refused]:
    """The events of each line in order; blank lines are passed over.

    A row without id, source or tenant is given them: the id from its place in the file, the others from the
    options.
    """
    for raw in lines:
        if raw.isspace():
            continue
        try:
            yield _finish(_decode_event(raw), options)
        except (*UNREADABLE, RowProblem):
            yield from _with_care(raw, lines, options)


def _with_care(raw: bytes, lines: Lines, options: ReadOptions) -> Iterator[Event | Refused]:
    try:
        document = _decode_any(raw)
    except UNREADABLE:
        yield Refused(lines.number, ROW, "one JSON object or array on one line")
        return
    rows = document if isinstance(document, list) else [document]
    for index, row in enumerate(rows):
        identity = lines.identity() if rows is not document else f"{lines.identity()}-{index}"
        try:
            yield _from_row(row, identity, options)
        except RowProblem as problem:
            yield Refused(lines.number, problem.field, problem.expected, _cost_of(row))


def _cost_of(row: object) -> int | None:
    cost = row.get("cost_nano_usd") if isinstance(row, dict) else None
    return cost if type(cost) is int and 0 <= cost <= MAX_COST_NANO_USD else None


def _from_row(row: object, identity: str, options: ReadOptions) -> Event:
    if not isinstance(row, dict):
        raise RowProblem(ROW, "one event, as a JSON object")
    if row.keys() >= _EXPORTED:
        row = {name: value for name, value in row.items() if name not in _EXPORTED}
    for name in row:
        if name not in FIELD_TYPES:
            raise unknown_field(name)
    return build_event(row, identity, options)


def build_event(row: Mapping[str, Any], identity: str, options: ReadOptions) -> Event:
    """The event of a row of known fields, with its identity filled in. Raises RowProblem."""
    if "time" not in row:
        raise RowProblem("time", EXPECTED_OF["time"])
    filled = {"id": identity, "source": options.source, "tenant": options.tenant or DEFAULT_TENANT} | dict(row)
    try:
        event = msgspec.convert(filled, Event)
    except msgspec.ValidationError as error:
        raise problem_of(error) from None
    return _finish(event, options)


def _finish(event: Event, options: ReadOptions) -> Event:
    if options.tenant is not None:
        event.tenant = options.tenant
    return check_event(event)
