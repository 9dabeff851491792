"""Checks that were followed by a call: how far the estimate was off, and whether the verdict would have been another.

That is what enforcement will live with. A call names its check by ``check_id``; the first call that was accepted under
it settles it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow.compute as pc

from spendgate.ledger.check_rows import checks_of
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.check import Check
from spendgate.model.decision import VERDICTS, Decision, Reason, Verdict
from spendgate.model.reconciliation_parts import EstimateResult
from spendgate.reconcile.asked import Wanted

PPM = 1_000_000
_COLUMNS = (
    "kind", "duplicate", "check_id", "vendor", "model", "cost_nano_usd", "partition", "offset", "index",
    "received_at",
)  # fmt: skip


class Settled(NamedTuple):
    """A check and the call that names it. ``actual_nano_usd`` is None for an unpriced call; ``verdict``: of its
    decision, None where there is none."""

    check: Check
    model: str | None
    actual_nano_usd: int | None
    verdict: Verdict | None


def estimates(checks: Iterable[Check], ledger: Ledger, wanted: Wanted) -> list[EstimateResult]:
    """By model, and of all models together at the end; nothing where no check was followed by a call.

    ``checks`` of other tenants are passed over. With a policy or staging in ``wanted`` verdicts are those of its own
    rules. Raises LedgerError.
    """
    asked = {check.check_id: check for check in checks if check.tenant == wanted.tenant}
    calls = list(_calls(ledger, wanted, asked))
    decided = _decided(ledger, wanted.tenant, {place for place, *_ in calls})
    found = [
        Settled(asked[check_id], model, cost, _verdict_of(decided.get(place), wanted))
        for place, check_id, model, cost in calls
    ]
    by_model: dict[str, list[Settled]] = {}
    for each in found:
        by_model.setdefault(each.model or "(none)", []).append(each)
    results = [_result(model, settled, wanted) for model, settled in sorted(by_model.items())]
    return [*results, _result(None, found, wanted)] if found else []


def recorded_checks(ledger: Ledger, tenant: str) -> Iterator[Check]:
    """The checks that the ledger holds."""
    for batch in ledger.check_batches(tenant, ["encoded"]):
        yield from checks_of(batch)


_Place = tuple[int, int, int]
"""Partition, offset and index."""
_Call = tuple[_Place, str, str | None, int | None]


def _calls(ledger: Ledger, wanted: Wanted, asked: Mapping[str, Check]) -> Iterator[_Call]:
    """Place, check, model and cost of the calls that settle one."""
    settled: set[str] = set()
    for batch in ledger.event_batches(wanted.tenant, _COLUMNS):
        named = pc.and_(pc.is_valid(batch["check_id"]), pc.is_valid(batch["offset"]))
        is_call = pc.and_(pc.equal(batch["kind"], "call"), pc.invert(batch["duplicate"]))
        for row in batch.filter(pc.and_(named, is_call)).to_pylist():
            check_id, received_ms = row["check_id"], int(row["received_at"].timestamp() * 1000)
            if check_id in asked and check_id not in settled and wanted.holds(received_ms):
                settled.add(check_id)
                place = row["partition"], row["offset"], row["index"]
                yield place, check_id, row["model"], row["cost_nano_usd"]


def _decided(ledger: Ledger, tenant: str, places: set[_Place]) -> dict[_Place, Decision]:
    """The decisions that were published of these calls."""
    if not places:
        return {}
    found: dict[_Place, Decision] = {}
    for batch in ledger.decision_batches(tenant):
        at = zip(*(batch[f"position_{name}"].to_pylist() for name in ("partition", "offset", "index")), strict=True)
        rows = [n for n, place in enumerate(at) if place in places]
        for decision in decisions_of(batch.take(rows)) if rows else ():
            position = decision.position
            found.setdefault((position.partition, position.offset, position.index), decision)
    return found


def _verdict_of(decision: Decision | None, wanted: Wanted) -> Verdict | None:
    return None if decision is None else _verdict(decision.verdict, decision.reasons, wanted)


def _verdict(whole: Verdict, reasons: Sequence[Reason], wanted: Wanted) -> Verdict:
    """What is wanted of a verdict: the worst of a policy's own rules; what is not listed approved."""
    if wanted.policy is None and wanted.staging is None:
        return whole
    mine = [VERDICTS.index(each.verdict) for each in reasons if wanted.names(each.policy, each.staging)]
    return VERDICTS[max(mine, default=0)]


def _result(model: str | None, settled: Sequence[Settled], wanted: Wanted) -> EstimateResult:
    priced = [
        (each.check.estimate_nano_usd, each.actual_nano_usd)
        for each in settled
        if each.check.estimate_nano_usd is not None and each.actual_nano_usd is not None
    ]
    errors = sorted(_error_ppm(estimate, actual) for estimate, actual in priced)
    verdicts = [
        (VERDICTS.index(_verdict(each.check.would_be, each.check.reasons, wanted)), VERDICTS.index(each.verdict))
        for each in settled
        if each.check.would_be is not None and each.verdict is not None
    ]
    return EstimateResult(
        model=model, checks=len(settled), compared=len(priced), unpriced=len(settled) - len(priced),
        mean_error_ppm=sum(errors) // len(errors) if errors else None, median_error_ppm=_rank(errors, 50),
        p95_error_ppm=_rank(errors, 95), bias_nano_usd=sum(actual - estimate for estimate, actual in priced),
        estimated_nano_usd=sum(estimate for estimate, _ in priced), verdicts=len(verdicts),
        verdict_differs=sum(said != became for said, became in verdicts),
        too_mild=sum(said < became for said, became in verdicts),
    )  # fmt: skip


def _error_ppm(estimate: int, actual: int) -> int:
    """By how much an estimate is off, of what the call cost; an estimate of what cost nothing is off by all of it."""
    if actual == 0:
        return PPM if estimate else 0
    return abs(actual - estimate) * PPM // actual


def _rank(ordered: Sequence[int], percent: int) -> int | None:
    """The nearest rank."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None
