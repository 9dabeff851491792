"""The criteria of a reconciliation: each with what was measured, what is asked for, and how far off it is.

All of them are shown, also when one already decides. A fault fails; too little to know is inconclusive, and zero
traffic proves nothing. What nobody looked at is not known either, unless that is waived.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from spendgate.model.reconciliation import WAIVABLE, Criterion, CriterionName, Outcome, Thresholds
from spendgate.model.reconciliation_parts import BillResult, CountersResult, Lag, LedgerResult
from spendgate.reconcile.bounds import upper_bound_ppb


class Measured(NamedTuple):
    """What the criteria look at.

    ``differing``: replayed calls on which shadow and replay do not agree, with decisions that are too many;
    ``unexplained``: those without a cause; ``looked``: calls at which a rule looked that is asked about. ``windows``:
    of how many budgets the stretch to be proven was seen, and of how many there are. ``near_cap`` is None without a
    budget; ``answers`` (rules that have said something else than approve, and rules) where every policy has one.
    """

    replayed: int
    differing: int
    unexplained: int
    looked: int
    hours: int
    windows: tuple[int, int]
    near_cap: int | None
    answers: tuple[int, int] | None
    ledger: LedgerResult
    lag: Lag | None
    counters: CountersResult | None
    bill: BillResult | None


def criteria(measured: Measured, asked: Thresholds, waived: Mapping[CriterionName, str]) -> tuple[Criterion, ...]:
    """All criteria, the faults first. ``waived``: by name, why one does not count.

    Raises ValueError where something is waived that may not be.
    """
    if wrong := sorted(set(waived) - WAIVABLE):
        raise ValueError(f"waive: {wrong[0]}: expected one of {', '.join(sorted(WAIVABLE))}")
    found = [*_faults(measured), *_evidence(measured, asked)]
    return tuple(msgspec.structs.replace(each, waiver=waived.get(each.name)) for each in found)


def outcome(found: Sequence[Criterion]) -> Outcome:
    """The worst of those that are not waived: a fault before what is not known."""
    outcomes = {each.outcome for each in found if each.waiver is None}
    return "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"


def _faults(measured: Measured) -> Iterator[Criterion]:
    of = measured.replayed
    yield _none("differences", measured.differing, "calls", "calls on which shadow and replay do not agree", of)
    yield _none("unexplained", measured.unexplained, "calls", "differences without a cause", of)
    yield from _of_ledger(measured.ledger)
    yield _of_counters(measured.counters)


def _of_ledger(ledger: LedgerResult) -> Iterator[Criterion]:
    lacking = ledger.lacking + ledger.damaged
    yield _none("coverage", lacking, "records", "records that the ledger lacks, and damaged files")
    words = "records of the interval that a topic has and the ledger has not yet"
    if ledger.behind is None:
        yield _unknown("offsets", "records", 0, f"{words}: the topics were not asked")
    elif ledger.past_end:
        yield _none("offsets", ledger.past_end, "partitions", "partitions whose ledger goes past the topic's end")
    else:
        found = _none("offsets", ledger.behind if ledger.open_ended else 0, "records", words)
        # What is still to be recorded is no fault of what was: it is not known yet.
        yield msgspec.structs.replace(found, outcome="inconclusive") if found.distance else found


def _of_counters(counters: CountersResult | None) -> Criterion:
    words = "cells, identities and documents in Redis that are not what the log says"
    if counters is None:
        return _unknown("counters", "cells", 0, f"{words}: Redis was not asked")
    parts = counters.partitions
    if any(each.problem for each in parts):
        return _unknown("counters", "cells", 0, f"{words}: {next(each.problem for each in parts if each.problem)}")
    wrong = sum(each.differing_cells + each.differing_identities + each.differing_documents for each in parts)
    return _none("counters", wrong, "cells", words, sum(each.cells + each.identities for each in parts))


def _evidence(measured: Measured, asked: Thresholds) -> Iterator[Criterion]:
    yield _of_lag(measured.lag, asked.lag_ms)
    yield _of_bill(measured.bill)
    yield _least("events", measured.looked, asked.events, "calls", "calls at which the rules looked")
    yield _least("hours", measured.hours, asked.hours, "hours", "hours observed")
    seen, budgets = measured.windows
    if budgets:
        yield _least("windows", seen, budgets, "budgets", "budgets whose last full window was seen, with calls")
    if measured.near_cap is not None:
        words = f"calls within {asked.near_cap_percent} % of a cap"
        yield _least("near_cap", measured.near_cap, asked.near_cap, "calls", words)
    if measured.answers is not None:
        words = "rules that did not only approve, for there is no budget"
        yield _least("answers", *measured.answers, "rules", words)


def _of_lag(lag: Lag | None, threshold_ms: int) -> Criterion:
    words = "within which 99 of 100 decisions were made"
    if lag is None:
        return _unknown("lag", "ms", threshold_ms, words)
    return _most("lag", max(0, lag.p99_ms), threshold_ms, "ms", words, lag.decisions + lag.waiting)


def _of_bill(bill: BillResult | None) -> Criterion:
    words = "the worst bucket of the vendor's bill against the ledger"
    if bill is None or not bill.buckets:
        what = "there is no bill" if bill is None else "no line of it could be compared"
        return _unknown("bill", "nano-USD", 0, f"{words}: {what}")
    worst = bill.buckets[0]
    off = abs(worst.billed_nano_usd - worst.ledger_nano_usd)
    found = _most("bill", off, worst.tolerance_nano_usd, "nano-USD", words, bill.total_buckets)
    doubt = "" if bill.final else ", which is not final"
    doubt += "" if bill.whole else ", of which lines could not be compared"
    if not doubt or (found.outcome == "fail" and bill.final):
        return found
    return msgspec.structs.replace(found, outcome="inconclusive", words=f"{words}{doubt}")


def _none(name: CriterionName, measured: int, unit: str, words: str, sample: int | None = None) -> Criterion:
    found = _most(name, measured, 0, unit, words, sample)
    bound = None if sample is None else upper_bound_ppb(min(measured, sample), sample)
    return msgspec.structs.replace(found, at_most_ppb=bound)


def _most(
    name: CriterionName, measured: int, threshold: int, unit: str, words: str, sample: int | None = None
) -> Criterion:
    off = max(0, measured - threshold)
    return Criterion(name=name, outcome="fail" if off else "pass", unit=unit, bound="most", threshold=threshold,
                     distance=off, measured=measured, sample=sample, words=words)  # fmt: skip


def _least(name: CriterionName, measured: int, threshold: int, unit: str, words: str) -> Criterion:
    off = max(0, threshold - measured)
    return Criterion(name=name, outcome="inconclusive" if off else "pass", unit=unit, bound="least",
                     threshold=threshold, distance=off, measured=measured, words=words)  # fmt: skip


def _unknown(name: CriterionName, unit: str, threshold: int, words: str) -> Criterion:
    return Criterion(name=name, outcome="inconclusive", unit=unit, bound="most", threshold=threshold, distance=0,
                     words=words)  # fmt: skip
