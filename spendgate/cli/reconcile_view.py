"""A reconciliation, shown: the outcome, every criterion, and what differs."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.markup import escape

from spendgate.model.money import format_usd
from spendgate.model.reconciliation import Criterion, Differences, Reconciliation, WindowSeen
from spendgate.model.reconciliation_parts import BillResult, Bucket, EstimateResult

_STYLES = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_SHOWN = 5
_PPB_PERCENT = 1e7


def show_reconciliation(found: Reconciliation) -> None:
    """On a terminal, or as plain text where it is none."""
    console = Console(soft_wrap=True, highlight=False)
    style = _STYLES[found.outcome]
    console.print(f"\n[bold]{escape(_what(found))}[/bold]  [{style}]{found.outcome}[/]")
    console.print(escape(_sample(found)))
    for criterion in found.criteria:
        console.print(f"[{_STYLES[criterion.outcome]}]{criterion.outcome:<13}[/]" + escape(_criterion(criterion)))
    for line in _details(found):
        console.print(f"  [dim]{escape(line)}[/dim]")


def _what(found: Reconciliation) -> str:
    return " ".join(filter(None, (found.policy or "all policies", found.staging)))


def _sample(found: Reconciliation) -> str:
    calls = found.calls
    if not calls.replayed:
        return "no call was judged: that proves nothing"
    agree = f"{calls.matched:,} of {calls.replayed:,} calls agree ({calls.repeated:,} published again, unchanged)"
    if calls.differing_at_most_ppb is not None:
        agree += f"; at most {calls.differing_at_most_ppb / _PPB_PERCENT:.3f} % differ, with 95 % confidence"
    return f"{agree}\n{_at(found.observed.from_)} to {_at(found.observed.to)}"


def _criterion(each: Criterion) -> str:
    """``differences   0 of 19,795 calls (at most 0)``, and why it is not met."""
    of = "" if each.sample is None or (each.bound == "most" and each.threshold) else f" of {each.sample:,}"
    measured = "not known" if each.measured is None else _amount(each.measured, each.unit, of)
    asked = f" (at {each.bound} {_amount(each.threshold, each.unit)})"
    off = f", off by {_amount(each.distance, each.unit)}" if each.distance else ""
    why = "" if each.outcome == "pass" else f"{off}: {each.words}"
    waived = "" if each.waiver is None else f"; waived: {each.waiver}"
    return f"{each.name:<12}  {measured}{asked if each.measured is not None else ''}{why}{waived}"


def _amount(number: int, unit: str, of: str = "") -> str:
    return format_usd(number, 4) if unit == "nano-USD" else f"{number:,}{of} {unit}"


def _details(found: Reconciliation) -> Iterator[str]:
    for group in found.differences:
        yield _kind(group)
        for example in group.examples[:_SHOWN]:
            yield f"  {example.event_id}: {example.words}"
    yield from (_window(window) for window in found.windows if not window.observed or window.partial)
    if found.bill is not None:
        yield from _bill(found.bill)
    yield from (_estimate(each) for each in found.estimates or ())


def _kind(group: Differences) -> str:
    return f"{group.calls:,} {group.kind.replace('_', ' ')}, cause: {group.cause.replace('_', ' ')}"


def _window(window: WindowSeen) -> str:
    what = f"{window.policy}, rule {window.rule} ({window.window})"
    part = "a part of a longer window" if window.partial else "the last full window"
    seen = "seen" if window.observed else "not seen whole"
    return f"{what}: {_at(window.from_)} to {_at(window.to)}, {part}: {seen}, {window.calls:,} calls"


def _bill(bill: BillResult) -> Iterator[str]:
    if bill.buckets:
        days = f"bill by {bill.calendar}, {bill.first_day} to {bill.last_day}"
        yield f"{days}: {bill.differing_buckets:,} of {bill.total_buckets:,} buckets differ by more than they may"
    yield from (f"  {_bucket(bucket)}" for bucket in bill.buckets[:_SHOWN])
    for aside in bill.set_aside:
        lines = ", ".join(map(str, aside.lines[:_SHOWN])) + (", ..." if aside.count > _SHOWN else "")
        yield f"  {aside.count:,} lines, {format_usd(aside.nano_usd)}: {aside.why.replace('_', ' ')} (line {lines})"


def _bucket(bucket: Bucket) -> str:
    whose = f"{bucket.vendor} {bucket.model}" if bucket.model is not None else "unattributed"
    unpriced = f", {bucket.unpriced:,} of them unpriced" if bucket.unpriced else ""
    return (
        f"{bucket.day} {whose}: billed {format_usd(bucket.billed_nano_usd, 4)}, ledger "
        f"{format_usd(bucket.ledger_nano_usd, 4)} in {bucket.calls:,} calls{unpriced}"
    )


def _estimate(each: EstimateResult) -> str:
    """``estimates of gpt-4o: 1,204 checks, off by 3.1 % in the middle ...``."""
    what = f"estimates of {each.model or 'all models'}: {each.checks:,} checks were followed by a call"
    if each.median_error_ppm is not None and each.p95_error_ppm is not None:
        what += (
            f"; half are off by at most {each.median_error_ppm / 10_000:.1f} %, 95 of 100 by at most "
            f"{each.p95_error_ppm / 10_000:.1f} %, all together by {format_usd(each.bias_nano_usd, 4)}"
        )
    return f"{what}; {each.verdict_differs:,} of {each.verdicts:,} verdicts would differ, {each.too_mild:,} too mild"


def _at(at: datetime | None) -> str:
    return "?" if at is None else f"{at:%Y-%m-%dT%H:%M:%SZ}"
