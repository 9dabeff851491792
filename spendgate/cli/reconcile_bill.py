"""The bill that ``spendgate reconcile`` was given, compared with the ledger."""

from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from typing import NamedTuple

from spendgate.cli.say import USAGE
from spendgate.engine.windows import Calendar
from spendgate.failure import Failure
from spendgate.ledger.bill_csv import open_bill
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.reader_problem import Refused
from spendgate.model.policy_problems import PolicyErrors
from spendgate.model.reconciliation import Thresholds
from spendgate.model.reconciliation_parts import BillResult
from spendgate.model.zones import load_zone
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.bill import Bill, Terms, compare_bill
from spendgate.reconcile.bill_names import PLAIN, BillNames, read_names
from spendgate.reconcile.usage import usage_of


class BillOptions(NamedTuple):
    """The options."""

    file: Path | None
    is_final: bool = False
    unit: str = "day"
    timezone: str = "UTC"
    vendor: str | None = None
    accounts: Sequence[str] | None = None
    columns: str = ""
    names: Path | None = None


def compared_bill(options: BillOptions, ledger: Ledger, wanted: Wanted, asked: Thresholds) -> BillResult | None:
    """The result, None without a bill. Raises Failure, InputError, LedgerError, OSError."""
    if options.file is None:
        return None
    calendar, refused = _calendar(options), list[Refused]()
    lines = open_bill(options.file, options.timezone, _mapping(options.columns), refused.append)
    accounts = frozenset(options.accounts) if options.accounts else None
    terms = Terms(calendar, options.is_final, options.vendor, _names(options.names), accounts, wanted.from_ms,
                  wanted.to_ms)  # fmt: skip
    with options.file.open("rb") as file:
        content = file_digest(file, "sha256").hexdigest()
    return compare_bill(Bill(lines, refused, content), usage_of(ledger, wanted.tenant, calendar), terms, asked)


def _calendar(options: BillOptions) -> Calendar:
    if options.unit not in ("day", "month"):
        raise Failure("bill-calendar: expected day or month", USAGE)
    try:
        load_zone(options.timezone)
    except (ValueError, KeyError, OSError):
        raise Failure("bill-timezone: expected an IANA time zone, such as America/Los_Angeles", USAGE) from None
    return Calendar(options.unit, options.timezone)


def _mapping(text: str) -> dict[str, str]:
    pairs = dict(pair.partition("=")[::2] for pair in text.split(",") if pair)
    if not all(pairs) or not all(pairs.values()):
        raise Failure("bill-map: expected FIELD=COLUMN, separated by commas", USAGE)
    return {field.strip(): column.strip() for field, column in pairs.items()}


def _names(path: Path | None) -> BillNames:
    if path is None:
        return PLAIN
    try:
        return read_names(path)
    except PolicyErrors as error:
        raise Failure(str(error), USAGE) from None
