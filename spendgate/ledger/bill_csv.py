"""The vendor's bill as a plain CSV file: a day or an instant, a cost in dollars, and what names the model.

Columns are found by name, or by a mapping: ``day`` (``2026-11-05``) or ``time`` (an instant), ``cost_usd``, and where
there are any ``vendor``, ``model``, ``currency``, ``category``, ``account``, ``invoice``, ``line_id``.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from spendgate.ledger.bill_focus import CURRENCY, BillLine, checked_currency, fingerprint, is_focus, read_bill
from spendgate.ledger.reader_csv import delimiter_of
from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_problem import InputError, Refused, RowProblem, nearest
from spendgate.ledger.reader_rows import Row, csv_rows
from spendgate.ledger.reader_stream import Stream
from spendgate.ledger.reader_values import instant
from spendgate.model.money import MoneyError, nano_usd_of
from spendgate.model.zones import load_zone

FIELDS = ("day", "time", "cost_usd", "vendor", "model", "currency", "category", "account", "invoice", "line_id")


def open_bill(
    path: Path, timezone: str, mapping: Mapping[str, str], on_refused: Callable[[Refused], None]
) -> Iterator[BillLine]:
    """The lines of a bill, FOCUS or plain CSV; those that cannot be read go to ``on_refused``.

    ``timezone``: of a plain file's days. Raises InputError for what is no bill, and for another currency than USD;
    OSError.
    """
    if not mapping and _is_focus(path):
        return read_bill(path, on_refused)
    return _read_plain(path, timezone, mapping, on_refused)


def _is_focus(path: Path) -> bool:
    with path.open("rb") as file:
        stream = Stream(file)
        return stream.is_parquet or is_focus(_names(next(Lines(stream.text), b"")))


def _names(header: bytes) -> list[str]:
    text = header.decode("utf-8", "replace").strip()
    return [name.strip() for name in next(csv.reader([text], delimiter=delimiter_of(text)), [])]


def _read_plain(
    path: Path, timezone: str, mapping: Mapping[str, str], on_refused: Callable[[Refused], None]
) -> Iterator[BillLine]:
    with path.open("rb") as file:
        stream = Stream(file)
        lines = Lines(stream.text)
        header = next(lines, b"")
        names, currency = _names(header), None
        columns = _columns(names, mapping)
        for row in stream.told(csv_rows(lines, header.decode("utf-8", "replace").strip(), names)):
            line = row if isinstance(row, Refused) else _line(row, columns, timezone)
            if isinstance(line, Refused):
                on_refused(line)
                continue
            currency = checked_currency("currency", line.currency, currency)
            yield line


def _columns(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Which column holds which field."""
    if unknown := next((field for field in mapping if field not in FIELDS), None):
        raise InputError(f"bill map: {unknown}: expected one of {', '.join(FIELDS)}{nearest(unknown, FIELDS)}")
    for field, column in mapping.items():
        if column not in names:
            raise InputError(f"bill map: {field}: expected a column that the header names{nearest(column, names)}")
    taken = set(mapping.values())
    found = {name: name for name in names if name in FIELDS and name not in taken} | dict(mapping)
    if "cost_usd" not in found or not {"day", "time"} & found.keys():
        raise InputError(
            "expected a FOCUS cost export, or a CSV file with columns cost_usd and day (or time); name others with "
            "--bill-map cost_usd=COLUMN,day=COLUMN"
        )
    return found


def _line(row: Row, columns: Mapping[str, str], timezone: str) -> BillLine | Refused:
    values = {field: str(row.values[column]).strip() or None for field, column in columns.items()}
    cost = None
    try:
        cost = _cost(values["cost_usd"])
        start, end = _period(values, timezone)
    except RowProblem as problem:
        return Refused(row.line, problem.field, problem.expected, cost)
    return BillLine(
        period_start=start, period_end=end, billed_nano_usd=cost, vendor=values.get("vendor"),
        model=values.get("model"), category=values.get("category"), account=values.get("account"),
        invoice=values.get("invoice"), currency=(values.get("currency") or CURRENCY).upper(), line=row.line,
        fingerprint=fingerprint(row.values, *([columns["line_id"]] if "line_id" in columns else [])),
    )  # fmt: skip


def _cost(text: Any) -> int:
    try:
        return nano_usd_of(text)
    except MoneyError as error:
        raise RowProblem("cost_usd", str(error).removeprefix("expected ")) from None


def _period(values: Mapping[str, str | None], timezone: str) -> tuple[datetime, datetime]:
    if (text := values.get("day")) is not None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise RowProblem("day", "a day such as 2026-11-05") from None
        return _midnight(day, timezone), _midnight(day + timedelta(days=1), timezone)
    at = instant(values.get("time"), "time")
    return at, at


def _midnight(day: date, timezone: str) -> datetime:
    """When a local day begins; where a clock is put forward over midnight, the instant at which it is."""
    return datetime.combine(day, time(), load_zone(timezone)).astimezone(UTC)
