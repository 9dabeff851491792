"""The vendor's bill, from a FOCUS cost export of version 1.2 to 1.4, as CSV or Parquet. Lines of a bill are no events.

Source of the columns: the FinOps Open Cost and Usage Specification. Names of providers are those of 1.2, or of 1.3
and later, where ``ServiceProviderName`` took the place of ``ProviderName`` and ``PublisherName``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct
from xxhash import xxh3_128_intdigest

from spendgate.ledger.reader_csv import header_names
from spendgate.ledger.reader_lines import Lines
from spendgate.ledger.reader_problem import InputError, Refused, RowProblem, nearest
from spendgate.ledger.reader_rows import Row, csv_rows
from spendgate.ledger.reader_stream import Stream
from spendgate.ledger.reader_values import instant
from spendgate.model.money import MoneyError, nano_usd_of

CURRENCY = "USD"
_NEEDED = ("BilledCost", "BillingCurrency", "ChargePeriodStart", "ChargePeriodEnd")
_VENDOR = ("ServiceProviderName", "ProviderName", "PublisherName", "InvoiceIssuerName")
_MODEL = ("x_Model", "x_ModelName", "x_model", "SkuMeter")
_ID = ("x_LineItemId", "LineItemId", "InvoiceDetailId")


class BillLine(Struct, frozen=True, kw_only=True):
    """One line: what was charged for ``[period_start, period_end)``. Costs are nano-USD, below zero for a credit.

    ``billed`` is what an invoice asks for; ``effective`` spreads what was paid ahead over its use. ``model``: where
    the vendor names one (``x_Model`` or the meter of the SKU). ``quantity`` is the vendor's own decimal text. ``line``:
    where it stands, from 1; ``fingerprint``: of its id where it has one, else of all that it says.
    """

    period_start: datetime
    period_end: datetime
    billed_nano_usd: int
    effective_nano_usd: int | None = None
    vendor: str | None = None
    service: str | None = None
    category: str | None = None
    sku: str | None = None
    model: str | None = None
    invoice: str | None = None
    account: str | None = None
    quantity: str | None = None
    unit: str | None = None
    currency: str = CURRENCY
    line: int = 0
    fingerprint: int = 0


def is_focus(names: Iterable[str]) -> bool:
    """Whether columns of these names are a FOCUS export's."""
    return {"BilledCost", "ChargePeriodStart"} <= set(names)


def read_bill(path: Path, on_refused: Callable[[Refused], None] | None = None) -> Iterator[BillLine]:
    """The lines of a bill in its order; those that cannot be read go to ``on_refused``.

    Raises InputError for a file that is no FOCUS export, for currencies that differ or are not USD, and OSError.
    """
    with path.open("rb") as file:
        yield from lines_of_bill(file, on_refused)


def lines_of_bill(file: BinaryIO, on_refused: Callable[[Refused], None] | None = None) -> Iterator[BillLine]:
    """As ``read_bill``, from a stream."""
    stream = Stream(file)
    rows = stream.told(_parquet_rows(stream) if stream.is_parquet else _csv_rows(stream))
    currency: str | None = None
    for row in rows:
        line = row if isinstance(row, Refused) else _line(row)
        if isinstance(line, Refused):
            if on_refused is not None:
                on_refused(line)
            continue
        currency = checked_currency("BillingCurrency", line.currency, currency)
        yield line


def _csv_rows(stream: Stream) -> Iterator[Row | Refused]:
    lines = Lines(stream.text)
    header = next(lines, b"").decode("utf-8", "replace").strip()
    names = header_names(header)
    _check_columns(names)
    return csv_rows(lines, header, names)


def _parquet_rows(stream: Stream) -> Iterator[Row | Refused]:
    from spendgate.ledger.reader_parquet import ParquetFile

    file = ParquetFile(stream.seekable())
    _check_columns(file.names)
    return iter(file.read(file.names, with_identity=False))  # all: what tells two lines apart may stand in any


def _check_columns(names: Iterable[str]) -> None:
    names = list(names)
    for needed in _NEEDED:
        if needed not in names:
            raise InputError(f"expected a FOCUS cost export, with a column {needed}{nearest(needed, names)}")


def _line(row: Row) -> BillLine | Refused:
    try:
        return _parsed(row)
    except RowProblem as problem:
        return Refused(row.line, problem.field, problem.expected, _readable(row.values))


def _parsed(found: Row) -> BillLine:
    row = found.values
    billed = _cost(row, "BilledCost")
    if billed is None:
        raise RowProblem("BilledCost", "a cost")
    quantity = row.get("ConsumedQuantity")
    return BillLine(
        period_start=instant(row["ChargePeriodStart"], "ChargePeriodStart"),
        period_end=instant(row["ChargePeriodEnd"], "ChargePeriodEnd"),
        billed_nano_usd=billed,
        effective_nano_usd=_cost(row, "EffectiveCost"),
        vendor=_text(row, *_VENDOR),
        service=_text(row, "ServiceName"),
        category=_text(row, "ChargeCategory"),
        sku=_text(row, "SkuId", "SkuPriceId"),
        model=_text(row, *_MODEL),
        invoice=_text(row, "InvoiceId"),
        account=_text(row, "SubAccountId"),
        quantity=None if quantity in (None, "") else str(quantity),
        unit=_text(row, "ConsumedUnit"),
        currency=_text(row, "BillingCurrency") or "",
        line=found.line,
        fingerprint=fingerprint(row, *_ID),
    )


def fingerprint(row: Mapping[str, Any], *ids: str) -> int:
    """128 bits that tell a line from others: of the first of the columns ``ids`` that it has, else of all columns."""
    named = _text(row, *ids)
    return int(xxh3_128_intdigest(repr(sorted(row.items(), key=str) if named is None else named).encode()))


def _text(row: Mapping[str, Any], *names: str) -> str | None:
    return next((str(row[name]) for name in names if row.get(name) not in (None, "", "NULL", "null")), None)


def _cost(row: Mapping[str, Any], field: str) -> int | None:
    value = row.get(field)
    if value in (None, "", "NULL", "null"):
        return None
    try:
        return nano_usd_of(value)
    except MoneyError as error:
        raise RowProblem(field, str(error).removeprefix("expected ")) from None


def _readable(row: Mapping[str, Any]) -> int | None:
    try:
        return _cost(row, "BilledCost")
    except RowProblem:
        return None


def checked_currency(field: str, currency: str, before: str | None) -> str:
    """The currency of a line, which is that of all. Raises InputError."""
    if before is not None and currency != before:
        raise InputError(f"{field}: expected one currency in a bill; this one has several")
    if currency != CURRENCY:
        raise InputError(f"{field}: expected {CURRENCY}; costs in another currency are not converted")
    return currency
