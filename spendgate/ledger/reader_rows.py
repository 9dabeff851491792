"""Rows of fields, whatever the file: from JSON documents, from CSV, from Parquet; and from rows to events."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from spendgate.ledger.reader_csv import cells_of, event_of
from spendgate.ledger.reader_documents import Document
from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.reader_problem import ROW, Refused, RowProblem
from spendgate.ledger.reader_values import readable_cost
from spendgate.model.event import Event
from spendgate.model.unreadable import UNREADABLE

decode_exact = msgspec.json.Decoder(float_hook=Decimal).decode
"""JSON whose numbers with a fraction are decimals, digit by digit."""


class Row(NamedTuple):
    """One row: its line, the identity that its place gives it, and its fields."""

    line: int
    identity: str
    values: Mapping[str, Any]


class Dropped:
    """Content fields that were met and not read, each named once and in the order in which they came."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def note(self, name: str) -> None:
        """One was met."""
        if name not in self.names:
            self.names.append(name)


class Format(NamedTuple):
    """How rows of one format become calls: ``fields`` of an event (raises RowProblem), and the cost by itself."""

    fields: Callable[[Mapping[str, Any]], dict[str, Any]]
    cost: Callable[[Mapping[str, Any]], object]


def json_rows(documents: Iterable[Document | Refused], envelope: str | None = None) -> Iterator[Row | Refused]:
    """A row for each JSON object; ``envelope``: the field of an object that may hold an array of them instead."""
    for document in documents:
        if isinstance(document, Refused):
            yield document
            continue
        try:
            found = decode_exact(document.raw)
        except (*UNREADABLE, InvalidOperation):
            found = None
        if not isinstance(found, dict):
            yield Refused(document.line, ROW, "one JSON object")
            continue
        inner = found.get(envelope) if envelope is not None else None
        if isinstance(inner, list) and all(isinstance(each, dict) for each in inner):
            yield from (Row(document.line, f"{document.identity}-{n}", each) for n, each in enumerate(inner))
        else:
            yield Row(document.line, document.identity, found)


def csv_rows(lines: Lines, header: str, names: list[str]) -> Iterator[Row | Refused]:
    """A row for each line after the header, its cells by the names of their columns."""
    for cells in cells_of(lines, header):
        if isinstance(cells, Refused):
            yield cells
        elif len(cells) != len(names):
            yield Refused(lines.number, ROW, f"{len(names)} columns")
        else:
            yield Row(lines.number, lines.identity(), dict(zip(names, cells, strict=True)))


def calls_of(rows: Iterable[Row | Refused], known: Format, options: ReadOptions) -> Iterator[Event | Refused]:
    """The calls of the rows; what cannot be read is refused with the money that it stands for."""
    for row in rows:
        yield row if isinstance(row, Refused) else call_of(row, known, options)


def call_of(row: Row, known: Format, options: ReadOptions) -> Event | Refused:
    """The call of one row."""
    try:
        fields = {name: value for name, value in known.fields(row.values).items() if value is not None}
        return event_of(fields, row.identity, options)
    except RowProblem as problem:
        return Refused(row.line, problem.field, problem.expected, readable_cost(known.cost(row.values)))
