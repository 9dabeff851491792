"""Arrow rows as CSV that a spreadsheet opens without running any of it.

A text that begins with one of ``= + - @`` would be a formula to a spreadsheet (OWASP, CSV injection), so such a text
gets an apostrophe in front, and so does one that begins with an apostrophe: whoever takes one apostrophe away from the
front of a text that begins with ``'`` has what was there. Numbers, times and JSON begin with none of these, or are no
text. A null is an empty cell; a cell is quoted where it must be (RFC 4180); a line ends with a line feed.
"""

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_FORMULA = r"^([=+\-@'\t\r])"
_TO_QUOTE = r'[",\r\n]'
_AT_T = len("2026-11-05")


def csv_header(names: list[str]) -> bytes:
    """The first line."""
    return (",".join(names) + "\n").encode()


def csv_lines(rows: pa.Table) -> bytes:
    """A line for each row of plain columns: texts, whole numbers, decimals, instants, truths."""
    cells = [pc.fill_null(_cells(column.combine_chunks()), "") for column in rows.columns]
    cells[-1] = pc.binary_join_element_wise(cells[-1], "", "\n")
    return "".join(pc.binary_join_element_wise(*cells, ",").to_pylist()).encode()


def _cells(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_string(kind):
        return _quoted(pc.replace_substring_regex(column, _FORMULA, r"'\1"))
    if pa.types.is_timestamp(kind):
        return pc.utf8_replace_slice(column.cast(pa.string()), _AT_T, _AT_T + 1, "T")  # ten times as fast as strftime
    if pa.types.is_decimal(kind):
        return pa.array([_plain(value) for value in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def _quoted(column: pa.Array) -> pa.Array:
    must = pc.match_substring_regex(column, _TO_QUOTE)
    doubled = pc.replace_substring(column, '"', '""')
    return pc.if_else(must, pc.binary_join_element_wise('"', doubled, '"', ""), column)


def _plain(value: Decimal | None) -> Any:
    """Without an exponent, and without zeros at the end."""
    return None if value is None else f"{value.normalize():f}"
