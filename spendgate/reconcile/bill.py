"""The vendor's bill against the ledger, bucket by bucket: a vendor's model on a day of the billing calendar.

The worst bucket decides, never an average. Every line is either in a bucket or set aside with the reason, and what has
no model on either side is in a bucket of its own. What may not be compared in whole is not proven.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from spendgate.engine.calls import EPOCH
from spendgate.engine.windows import Calendar, CalendarTable
from spendgate.ledger.bill_focus import CURRENCY, BillLine
from spendgate.ledger.reader_problem import InputError, Refused
from spendgate.model.reconciliation import Thresholds
from spendgate.model.reconciliation_parts import BillResult, Bucket, SetAside, WhyAside
from spendgate.model.zones import load_zone
from spendgate.reconcile.bill_names import PLAIN, BillNames, Name, namer
from spendgate.reconcile.usage import Spent, Usage, UsageKey

MAX_BUCKETS = 100
"""So many buckets are told, the worst ones; all are counted."""
MAX_LINES = 20
_USAGE = ("usage", "")
_MS = timedelta(milliseconds=1)


class Terms(NamedTuple):
    """How a bill is to be read. ``calendar``: of its days (or months), and in which time zone they begin; ``final``:
    the vendor will not change it; ``vendor``: of lines that name none; ``accounts``: whose lines, all if None;
    ``from_ms``, ``to_ms``: the part of the ledger that it is compared with."""

    calendar: Calendar = Calendar("day", "UTC")
    final: bool = False
    vendor: str | None = None
    names: BillNames = PLAIN
    accounts: frozenset[str] | None = None
    from_ms: int | None = None
    to_ms: int | None = None


class Bill(NamedTuple):
    """A bill's lines, what could not be read of it, and the SHA-256 of its file."""

    lines: Iterable[BillLine]
    refused: list[Refused]
    file_hash: str


@dataclass(slots=True)
class _Side:
    """One bucket while it is filled."""

    billed: int = 0
    lines: int = 0
    spent: Spent = field(default_factory=Spent)


@dataclass(slots=True)
class _Aside:
    count: int = 0
    nano_usd: int = 0
    lines: list[int] = field(default_factory=list)


def compare_bill(bill: Bill, usage: Usage, terms: Terms, asked: Thresholds) -> BillResult:
    """The result. ``usage`` must be by the same calendar. Lines are read once, ``bill.refused`` after them.

    Raises InputError for a bill that names no vendor at all where ``terms`` does not either, and what reading raises.
    """
    found = _Comparing(usage, terms)
    for line in bill.lines:
        found.take(line)
    if found.vendors == {None}:
        raise InputError("vendor: expected a bill whose lines name one, or --bill-vendor")
    for refused in bill.refused:
        found.set_aside("unreadable", refused.line, refused.cost_nano_usd or 0)
    return found.result(bill.file_hash, asked)


class _Comparing:
    def __init__(self, usage: Usage, terms: Terms) -> None:
        self._usage, self._terms = usage, terms
        self._name: Callable[[str | None, str | None], Name] = namer(terms.names)
        self._table = CalendarTable.empty(terms.calendar)
        self._zone = load_zone(terms.calendar.timezone)
        self._buckets: dict[UsageKey, _Side] = {}
        self._aside: dict[WhyAside, _Aside] = {}
        self._seen: set[int] = set()
        self._days: set[int] = set()
        self.vendors: set[str | None] = set()

    def take(self, line: BillLine) -> None:
        """Put a line into its bucket, or aside."""
        start_ms = self._start_of(line)
        why = self._why_aside(line, start_ms)
        if why is not None:
            self.set_aside(why, line.line, line.billed_nano_usd)
            return
        if line.billed_nano_usd < 0:
            self.set_aside("negative_counted", line.line, line.billed_nano_usd)
        vendor, model = self._name(line.vendor or self._terms.vendor, line.model)
        self._days.add(start_ms)
        self.vendors.add(vendor)
        side = self._side(start_ms, vendor, model)
        side.billed += line.billed_nano_usd
        side.lines += 1

    def _side(self, start_ms: int, vendor: str | None, model: str | None) -> _Side:
        """The bucket; without a model there is one a day, whoever the vendor."""
        key = UsageKey(start_ms, vendor, model) if model and vendor else UsageKey(start_ms, None, None)
        return self._buckets.setdefault(key, _Side())

    def _why_aside(self, line: BillLine, start_ms: int) -> WhyAside | None:
        is_repeated = line.fingerprint in self._seen
        self._seen.add(line.fingerprint)
        if is_repeated:
            return "duplicate"
        if self._terms.accounts is not None and line.account not in self._terms.accounts:
            return "other_account"
        if (line.category or "").casefold() not in _USAGE:
            return "no_usage"
        if start_ms > self._usage.last_ms:
            return "future"
        if start_ms != self._start_of_end(line):
            return "other_calendar"
        return self._why_outside(start_ms)

    def _why_outside(self, start_ms: int) -> WhyAside | None:
        """Only days that the ledger has in full can be compared."""
        end_ms = self._table.window_of(start_ms)[1]
        terms, usage = self._terms, self._usage
        first_ms, last_ms = max(usage.first_ms, terms.from_ms or 0), min(usage.last_ms, terms.to_ms or usage.last_ms)
        return "outside" if start_ms < first_ms or end_ms > last_ms else None

    def _start_of(self, line: BillLine) -> int:
        return self._window_ms(line.period_start)

    def _start_of_end(self, line: BillLine) -> int:
        last = line.period_end - _MS if line.period_end > line.period_start else line.period_start
        return self._window_ms(last)

    def _window_ms(self, at: datetime) -> int:
        at_ms = (at - EPOCH) // _MS
        self._table.cover(at_ms, at_ms)
        return self._table.window_of(at_ms)[0]

    def set_aside(self, why: WhyAside, line: int, nano_usd: int) -> None:
        """Note a line that is not simply in a bucket."""
        found = self._aside.setdefault(why, _Aside())
        found.count += 1
        found.nano_usd += nano_usd
        if len(found.lines) < MAX_LINES:
            found.lines.append(line)

    def result(self, file_hash: str, asked: Thresholds) -> BillResult:
        """Add what the ledger has of the days and vendors of the bill, and compare."""
        elsewhere = self._add_usage()
        buckets = sorted(
            (self._bucket(key, side, asked) for key, side in self._buckets.items()),
            key=lambda each: (-_excess(each), each.day, each.vendor or "", each.model or ""),
        )
        loose = [side for key, side in self._buckets.items() if key.model is None]
        return BillResult(
            file_hash=file_hash, final=self._terms.final, whole=not self._aside.keys() & _DOUBTFUL,
            calendar=f"{self._terms.calendar.unit} in {self._terms.calendar.timezone}",
            first_day=self._day(min(self._days)) if self._days else None,
            last_day=self._day(max(self._days)) if self._days else None, currency=CURRENCY,
            total_buckets=len(buckets), differing_buckets=sum(_excess(each) > 0 for each in buckets),
            billed_nano_usd=sum(side.billed for side in self._buckets.values()),
            ledger_nano_usd=sum(side.spent.nano_usd for side in self._buckets.values()),
            unattributed_billed_nano_usd=sum(side.billed for side in loose),
            unattributed_ledger_nano_usd=sum(side.spent.nano_usd for side in loose),
            other_vendors_nano_usd=elsewhere, buckets=tuple(buckets[:MAX_BUCKETS]),
            set_aside=tuple(
                SetAside(why=why, count=each.count, nano_usd=each.nano_usd, lines=tuple(each.lines))
                for why, each in sorted(self._aside.items())
            ),
        )  # fmt: skip

    def _add_usage(self) -> int:
        """Fill in the ledger's side, of every day from the bill's first to its last; what is of vendors that the bill
        does not name."""
        elsewhere = 0
        for key, spent in self._usage.spent.items():
            if not self._days or not min(self._days) <= key.start_ms <= max(self._days):
                continue
            vendor, model = self._name(key.vendor, key.model)
            if vendor is not None and vendor not in self.vendors:
                elsewhere += spent.nano_usd
            else:
                self._side(key.start_ms, vendor, model).spent.add(spent)
        return elsewhere

    def _bucket(self, key: UsageKey, side: _Side, asked: Thresholds) -> Bucket:
        share = abs(side.billed) * asked.bill_ppm // 1_000_000
        return Bucket(
            day=self._day(key.start_ms), vendor=key.vendor, model=key.model, billed_nano_usd=side.billed,
            ledger_nano_usd=side.spent.nano_usd, tolerance_nano_usd=max(share, asked.bill_nano_usd),
            lines=side.lines, calls=side.spent.calls, unpriced=side.spent.unpriced,
        )  # fmt: skip

    def _day(self, start_ms: int) -> str:
        local = (EPOCH + timedelta(milliseconds=start_ms)).astimezone(self._zone)
        return f"{local:%Y-%m}" if self._terms.calendar.unit == "month" else f"{local:%Y-%m-%d}"


_DOUBTFUL: frozenset[WhyAside] = frozenset({"unreadable", "other_calendar", "future"})
"""Lines that should have been compared and could not be."""


def _excess(bucket: Bucket) -> int:
    """By how much a bucket is off beyond what it may be."""
    return abs(bucket.billed_nano_usd - bucket.ledger_nano_usd) - bucket.tolerance_nano_usd
