"""CSV with a column for each field, by name or by a mapping."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.inspect import BoolType, DateTimeType, IntType, Type, UnionType

from spendgate.ledger.own_exports import PLACED_CSV, as_written
from spendgate.ledger.reader_jsonl import build_event
from spendgate.ledger.reader_lines import MAX_LINE_BYTES, Lines
from spendgate.ledger.reader_options import COST_USD, ReadOptions
from spendgate.ledger.reader_problem import EXPECTED_OF, FIELD_TYPES, ROW, InputError, Refused, RowProblem, nearest
from spendgate.model.event import Event
from spendgate.model.money import MAX_COST_NANO_USD, MoneyError, parse_usd

Cell = str | int | bool | datetime
_DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_TARGETS = (*FIELD_TYPES, COST_USD)


def _time(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _count(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise ValueError
    return int(text)


def _truth(text: str) -> bool:
    return _TRUTH[text.lower()]


def _cost(text: str) -> int:
    try:
        cost_nano_usd = parse_usd(text)
    except MoneyError as error:
        raise RowProblem(COST_USD, str(error).removeprefix("expected ")) from None
    if cost_nano_usd > MAX_COST_NANO_USD:
        raise RowProblem(COST_USD, "less than 2^53 nano-USD (about 9 million dollars)")
    return cost_nano_usd


def _reader_of(kind: Type) -> Callable[[str], Cell]:
    inner = kind.types[0] if isinstance(kind, UnionType) else kind
    match inner:
        case IntType():
            return _count
        case DateTimeType():
            return _time
        case BoolType():
            return _truth
        case _:
            return str


class Columns:
    """Which column holds which field (``mapping``). ``ignored``: the names of columns that are not read.

    Besides the mapped columns those are read whose name is a field of the event, or ``cost_usd``. Raises
    InputError for a mapped column that is not there, for a header without time, and for two costs.
    """

    def __init__(self, header: Sequence[str], options: ReadOptions) -> None:
        names = [name.strip() for name in header]
        taken = set(options.mapping.values())
        mapping = {name: name for name in names if name in _TARGETS and name not in taken} | dict(options.mapping)
        for field, column in mapping.items():
            if column not in names:
                near = nearest(column, names)
                raise InputError(f"map: {field}: expected a column that the header names{near}")
        if "time" not in mapping:
            near = nearest("timestamp", names)
            raise InputError(f"line 1: expected a header with a time column, or --map time=COLUMN{near}")
        if COST_USD in mapping and "cost_nano_usd" in mapping:
            raise InputError(f"line 1: expected one column of cost, {COST_USD} or cost_nano_usd")
        self.mapping = mapping
        self._cells = [(names.index(column), field) for field, column in mapping.items()]
        self.width = len(names)
        self.ignored = [name for name in names if name not in mapping.values()]
        self._is_ours = tuple(names[: len(PLACED_CSV)]) == PLACED_CSV

    def row(self, cells: Sequence[str]) -> dict[str, Cell]:
        """The known fields of a row; an empty cell is an unknown value. Raises RowProblem."""
        if len(cells) != self.width:
            raise RowProblem(ROW, f"{self.width} columns")
        row: dict[str, Cell] = {}
        for index, field in self._cells:
            if text := cells[index].strip():
                row |= self._field(field, as_written(text) if self._is_ours else text)
        return row

    def cost_of(self, cells: Sequence[str]) -> int | None:
        """What a row costs in nano-USD, if that can be read although the row cannot."""
        for index, field in self._cells:
            if field in (COST_USD, "cost_nano_usd") and index < len(cells) and (text := cells[index].strip()):
                try:
                    cost_nano_usd: Cell = self._field(field, text)["cost_nano_usd"]
                except RowProblem:
                    return None
                return cost_nano_usd if isinstance(cost_nano_usd, int) else None
        return None

    @staticmethod
    def _field(field: str, text: str) -> dict[str, Cell]:
        if field == COST_USD:
            return {"cost_nano_usd": _cost(text)}
        try:
            return {field: _READERS[field](text)}
        except (ValueError, KeyError, OverflowError):
            raise RowProblem(field, EXPECTED_OF[field]) from None


_READERS = {name: _reader_of(kind) for name, kind in FIELD_TYPES.items()}


def delimiter_of(header: str) -> str:
    """The delimiter that the header has most of: comma, semicolon or tab."""
    return max(",;\t", key=header.count)


def header_names(header: str) -> list[str]:
    """The columns that a header names. Raises InputError."""
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter_of(header)), [])]
    except csv.Error:
        raise InputError("line 1: expected a header of column names on one line") from None


def read_csv(lines: Lines, header: str, columns: Columns, options: ReadOptions) -> Iterator[Event | Refused]:
    """The events of the rows after the header. A time without an offset is UTC."""
    for cells in cells_of(lines, header):
        if isinstance(cells, Refused):
            yield cells
            continue
        try:
            yield event_of(columns.row(cells), lines.identity(), options)
        except RowProblem as problem:
            yield Refused(lines.number, problem.field, problem.expected, columns.cost_of(cells))


def cells_of(lines: Lines, header: str) -> Iterator[list[str] | Refused]:
    """The cells of each row after the header; empty lines are passed over."""
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader((raw.decode("utf-8", "replace") for raw in lines), delimiter=delimiter_of(header))
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            yield Refused(lines.number, ROW, "a row of comma-separated values")
            continue
        if cells:
            yield cells


def event_of(row: Mapping[str, Any], identity: str, options: ReadOptions) -> Event:
    """The event of a row of known fields; a call says whether its cost was there. Raises RowProblem."""
    event = build_event(row, identity, options)
    if event.cost_source is None and event.kind == "call":
        event.cost_source = "unpriced" if event.cost_nano_usd is None else "provided"
    return event
