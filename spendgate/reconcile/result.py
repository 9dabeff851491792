"""The document of a reconciliation, from what was tallied."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from spendgate.engine.calls import EPOCH
from spendgate.engine.version import ENGINE_VERSION
from spendgate.model.decision import Position
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import (
    Calls,
    Differences,
    Example,
    Interval,
    Reconciliation,
    SourceRead,
    StagingSeen,
    WindowSeen,
)
from spendgate.model.reconciliation_parts import LedgerResult
from spendgate.model.settings import Settings
from spendgate.reconcile.asked import Proofs, Wanted
from spendgate.reconcile.bounds import upper_bound_ppb
from spendgate.reconcile.causes import Explained
from spendgate.reconcile.criteria import Measured, criteria, outcome
from spendgate.reconcile.tally import Begun, Tally
from spendgate.reconcile.windows import calls_within, last_stretch, window_words

HOUR_MS = 3_600_000
NOT_DUE = "not_yet_judged"
"""The cause that is no difference: the lag says whether it has waited for too long."""


class Context(NamedTuple):
    """What a result needs besides its tally. ``end_ms``: the broker's time of the ledger's last record; ``lacking``:
    records that the ledger knows that it lacks."""

    wanted: Wanted
    proofs: Proofs
    policies: Mapping[str, Policy]
    sources: tuple[SourceRead, ...]
    ledger_versions: Mapping[str, int]
    end_ms: int
    lacking: int


class _Observed(NamedTuple):
    """The stretch of the log that was looked at, ms; empty where nothing was staged in it."""

    from_ms: int
    to_ms: int

    @property
    def is_empty(self) -> bool:
        return self.to_ms <= self.from_ms

    @property
    def hours(self) -> int:
        return max(0, self.to_ms - self.from_ms) // HOUR_MS


def result(tally: Tally, context: Context) -> Reconciliation:
    """The reconciliation. Raises ValueError for a waiver that cannot be."""
    wanted, proofs = context.wanted, context.proofs
    stagings = {name: each for name, each in tally.stagings.items() if _is_seen(name, each, context)}
    windows = tuple(_windows(tally, context, stagings))
    ledger = _ledger(context)
    lag = tally.lags.result(proofs.thresholds.lag_ms)
    found = criteria(_measured(tally, context, stagings, windows, ledger), proofs.thresholds, proofs.waived)
    observed = _observed(context, stagings)
    return Reconciliation(
        tenant=wanted.tenant, policy=wanted.policy, staging=wanted.staging, outcome=outcome(found), criteria=found,
        thresholds=proofs.thresholds, asked=_interval(wanted.from_ms, wanted.to_ms),
        observed=Interval() if observed is None or observed.is_empty else _interval(*observed), calls=_calls(tally),
        differences=tuple(_differences(tally)), stagings=tuple(_stagings(stagings, context.sources)),
        windows=windows, sources=context.sources, ledger=ledger, lag=lag, counters=proofs.counters, bill=proofs.bill,
        estimates=None if proofs.estimates is None else tuple(proofs.estimates),
        settings=Settings.model_validate(tally.settings).model_dump(), engine_version=ENGINE_VERSION,
        engine_versions=tuple(sorted(tally.engine_versions)), ledger_versions=dict(context.ledger_versions),
        price_book_hash=proofs.price_book_hash,
    )  # fmt: skip


def _is_seen(name: str, begun: Begun, context: Context) -> bool:
    """Whether a staging is wanted, and was in force within the interval."""
    wanted = context.wanted
    starts = wanted.to_ms is None or begun.begun_ms < wanted.to_ms
    ends = begun.ended_ms is not None and wanted.from_ms is not None and begun.ended_ms <= wanted.from_ms
    return wanted.names(begun.policy, name) and starts and not ends


def _observed(context: Context, stagings: Mapping[str, Begun]) -> _Observed | None:
    """From when the first of the stagings was in force, to the end of the log; None where none was."""
    if not stagings:
        return None
    begun = min(each.begun_ms for each in stagings.values())
    ended = [each.ended_ms for each in stagings.values()]
    return _within(context, begun, None if None in ended else max(each for each in ended if each is not None))


def _within(context: Context, begun_ms: int, ended_ms: int | None) -> _Observed:
    """The interval, the log and a staging's life, put together."""
    wanted = context.wanted
    ends = [each for each in (_log_end_ms(context), wanted.to_ms, ended_ms) if each is not None]
    return _Observed(max(begun_ms, wanted.from_ms or 0), min(ends))


def _log_end_ms(context: Context) -> int:
    """Until when the log is known: to its last record, or, where the topics have no more, until they were asked."""
    ledger, asked_ms = _ledger(context), context.proofs.offsets_at_ms
    is_whole = ledger.behind == 0 and not ledger.past_end
    return asked_ms if asked_ms is not None and is_whole else context.end_ms + 1


def _windows(tally: Tally, context: Context, stagings: Mapping[str, Begun]) -> Iterator[WindowSeen]:
    """What has to be proven of each budget in force at the end, or of all where none is."""
    current = {name: each for name, each in stagings.items() if each.ended_ms is None} or stagings
    for name, begun in sorted(current.items()):
        observed = _within(context, begun.begun_ms, begun.ended_ms)
        for number, rule in enumerate(context.policies[begun.hash].spec.rules):
            if rule.budget is None:
                continue
            stretch = last_stretch(rule.budget, observed.to_ms, context.proofs.thresholds.long_window_days)
            yield WindowSeen(
                staging=name, policy=begun.policy, rule=number, window=window_words(rule.budget),
                observed=stretch.from_ms >= observed.from_ms, partial=stretch.is_partial,
                calls=calls_within(tally.minutes.get(name, Counter()), stretch),
                from_=_instant(stretch.from_ms), to=_instant(stretch.to_ms),
            )  # fmt: skip


def _measured(
    tally: Tally, context: Context, stagings: Mapping[str, Begun], windows: tuple[WindowSeen, ...], ledger: LedgerResult
) -> Measured:
    causes = Counter({cause: group.calls for (_, cause), group in tally.groups.items()})
    budgets = {name for name, each in stagings.items() if _has_budget(context.policies[each.hash])}
    observed = _observed(context, stagings)
    return Measured(
        replayed=tally.replayed,
        differing=sum(count for cause, count in causes.items() if cause != NOT_DUE),
        unexplained=causes["unexplained"],
        looked=tally.looked,
        hours=0 if observed is None else observed.hours,
        windows=(sum(each.observed and each.calls > 0 for each in windows), len(windows)),
        near_cap=sum(tally.near[name] for name in budgets) if budgets else None,
        answers=_answers(tally, context, {name: each for name, each in stagings.items() if name not in budgets}),
        ledger=ledger,
        lag=tally.lags.result(context.proofs.thresholds.lag_ms),
        counters=context.proofs.counters,
        bill=context.proofs.bill,
    )


def _has_budget(policy: Policy) -> bool:
    return any(rule.budget is not None for rule in policy.spec.rules)


def _answers(tally: Tally, context: Context, unbudgeted: Mapping[str, Begun]) -> tuple[int, int] | None:
    """Of the rules of policies without a budget, how many have said something else than approve."""
    rules = [(name, n) for name, each in unbudgeted.items() for n in range(len(context.policies[each.hash].spec.rules))]
    return (sum(rule in tally.answered for rule in rules), len(rules)) if rules else None


def _ledger(context: Context) -> LedgerResult:
    """Of the tenant's partitions. What is behind matters where the interval goes on past the ledger's end."""
    verified, to_ms = context.proofs.verified, context.wanted.to_ms
    if verified is None:
        return LedgerResult(lacking=context.lacking)
    mine = {source.partition for source in context.sources}
    reports = [each for each in verified.sources if each.table != "checkpoints" and each.partition in mine]
    asked = [each.behind for each in reports if each.behind is not None]
    lacking = sum(each.missing + abs(each.rows - each.rows_found) for each in reports)
    gaps = sum(gap.last - gap.first + 1 for each in reports for gap in each.gaps)
    return LedgerResult(
        lacking=max(lacking, gaps, context.lacking), damaged=len(verified.damaged),
        behind=sum(asked) if asked else None, past_end=sum(each.past_end for each in reports),
        open_ended=bool(asked) and to_ms is not None and to_ms > context.end_ms and sum(asked) > 0,
    )  # fmt: skip


def _calls(tally: Tally) -> Calls:
    compared = tally.replayed - sum(group.calls for (_, cause), group in tally.groups.items() if cause == NOT_DUE)
    bound = upper_bound_ppb(compared - tally.matched, compared)
    return Calls(replayed=tally.replayed, matched=tally.matched, repeated=tally.repeated, differing_at_most_ppb=bound)


def _differences(tally: Tally) -> Iterator[Differences]:
    for (kind, cause), group in sorted(tally.groups.items()):
        yield Differences(
            kind=kind, cause=cause, calls=group.calls, stagings=tuple(sorted(group.stagings)),
            examples=tuple(map(_example, group.examples)),
        )  # fmt: skip


def _example(found: Explained) -> Example:
    owed, published = found.difference.owed, found.difference.found
    some = owed or published
    assert some is not None  # a difference is between two decisions, of which at most one is missing
    return Example(
        position=some.position, source=some.source, event_id=some.event_id, words=found.words,
        replayed=None if owed is None else owed.verdict, shadow=None if published is None else published.verdict,
    )  # fmt: skip


def _stagings(stagings: Mapping[str, Begun], sources: tuple[SourceRead, ...]) -> Iterator[StagingSeen]:
    topics = {each.partition: each.topic for each in sources}
    for name, begun in sorted(stagings.items()):
        yield StagingSeen(
            staging=name, policy=begun.policy, hash=begun.hash, stage=begun.stage,
            position=Position(topics[begun.partition], begun.partition, begun.offset, 0),
            begun_at=_instant(begun.begun_ms), ended_at=None if begun.ended_ms is None else _instant(begun.ended_ms),
        )  # fmt: skip


def _interval(from_ms: int | None, to_ms: int | None) -> Interval:
    return Interval(from_=None if from_ms is None else _instant(from_ms), to=None if to_ms is None else _instant(to_ms))


def _instant(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)
