"""The gate: whether a staging may be enforced. Pure; every criterion is shown, also when one already decides.

It goes by the latest round of the reconciliation, judged by the criteria as they are now. A fault that was found on
demand since then closes it until the next round. What is not known keeps it shut as well, and zero traffic is unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from spendgate.engine.windows import DAY_MS, HOUR_MS
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import Criterion, Outcome, Reconciliation
from spendgate.model.reconciliation_parts import LedgerResult
from spendgate.model.settings import Settings
from spendgate.reconcile.criteria import Measured, criteria
from spendgate.reconcile.earliest import proven_at_ms
from spendgate.reconcile.gate_rules import WAIVABLE, GateRules

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
State = Literal["blocked", "observing", "ready"]
_STATES: dict[Outcome, State] = {"fail": "blocked", "inconclusive": "observing", "pass": "ready"}
_OF_TIME = frozenset({"hours", "windows"})
"""What only needs time."""
_OF_THE_PAST = frozenset({"differences", "unexplained", "coverage", "lag"})
"""What was wrong with what has been observed: it must be observed anew."""


class GateCriterion(Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True):
    """One criterion of the gate, as a certificate binds it; the fields are those of a reconciliation's criterion."""

    name: str
    outcome: Outcome
    unit: str
    bound: Literal["most", "least"]
    threshold: int
    distance: int
    measured: int | None = None
    sample: int | None = None
    at_most_ppb: int | None = None
    waiver: str | None = None
    words: str

    @property
    def counts(self) -> Outcome:
        """Its outcome, a pass where it is waived."""
        return "pass" if self.waiver is not None else self.outcome


class Evidence(NamedTuple):
    """A recorded reconciliation. ``on_demand``: somebody asked for it, perhaps for a part; the others are rounds."""

    id: str
    recorded_ms: int
    on_demand: bool
    result: Reconciliation


class Subject(NamedTuple):
    """What is to be enforced: a staging of a policy's content, under the tenant's settings, by this engine.
    ``since_ms``: when it was staged."""

    tenant: str
    policy: Policy
    staging: str
    hash: str
    settings: Settings
    engine_version: str
    since_ms: int


class Gate(NamedTuple):
    """The answer. ``missing``: a line for each criterion that is not met, or that there has been no round.
    ``ready_at_earliest_ms``: before that it cannot be, whatever happens; None where it is ready. ``round``: what it
    went by."""

    state: State
    criteria: tuple[GateCriterion, ...]
    missing: tuple[str, ...]
    ready_at_earliest_ms: int | None
    round: Evidence | None


def gate(
    results: Sequence[Evidence], subject: Subject, rules: GateRules, waivers: Mapping[str, str], now_ms: int
) -> Gate:
    """The gate of a staging. ``results``: its reconciliations, the first one first. ``waivers``: by criterion, why."""
    latest = next((each for each in reversed(results) if not each.on_demand), None)
    shown = [*_of_round(latest, subject, rules), *_of_gate(results, latest, subject, rules, now_ms)]
    waived = {str(name): waivers[name] for name in WAIVABLE if name in waivers}
    found = tuple(msgspec.structs.replace(each, waiver=waived.get(each.name)) for each in shown)
    state = _STATES[_worst(found)]
    missing = tuple(_missing(found, latest))
    earliest = None if state == "ready" else _earliest(found, latest, subject, rules, now_ms)
    return Gate(state, found, missing, earliest, latest)


def _worst(found: Sequence[GateCriterion]) -> Outcome:
    outcomes = {each.counts for each in found}
    return "fail" if "fail" in outcomes else "inconclusive" if "inconclusive" in outcomes else "pass"


def _of_round(latest: Evidence | None, subject: Subject, rules: GateRules) -> Iterator[GateCriterion]:
    for each in _unseen(subject, rules) if latest is None else latest.result.criteria:
        # Only the waivers that the store has recorded count, not what whoever ran it was told.
        yield msgspec.convert({**msgspec.to_builtins(each), "waiver": None}, GateCriterion)


def _unseen(subject: Subject, rules: GateRules) -> Iterator[Criterion]:
    """The criteria of a reconciliation that there has not been."""
    rows = subject.policy.spec.rules
    budgets = sum(rule.budget is not None for rule in rows)
    nothing = Measured(
        replayed=0, differing=0, unexplained=0, looked=0, hours=0, windows=(0, budgets),
        near_cap=0 if budgets else None, answers=None if budgets else (0, len(rows)),
        ledger=LedgerResult(lacking=0), lag=None, counters=None, bill=None,
    )  # fmt: skip
    for each in criteria(nothing, rules.thresholds, {}):
        yield msgspec.structs.replace(each, outcome="inconclusive", measured=None, sample=None, at_most_ppb=None)


def _of_gate(
    results: Sequence[Evidence], latest: Evidence | None, subject: Subject, rules: GateRules, now_ms: int
) -> Iterator[GateCriterion]:
    """What the gate asks of the evidence itself."""
    yield _age(latest, rules, now_ms)
    yield _left(latest, rules, now_ms)
    result = None if latest is None else latest.result
    seen = result is not None and any((s.staging, s.hash) == (subject.staging, subject.hash) for s in result.stagings)
    yield _same("staging", seen, result, "the reconciliation was of this staging and this version")
    settings = result is not None and result.settings == subject.settings.model_dump()
    yield _same("settings", settings, result, "the tenant's settings are those under which it was reconciled")
    engine = result is not None and result.engine_version == subject.engine_version
    yield _same("engine", engine, result, f"it was reconciled by the engine that runs, {subject.engine_version}")
    asked = result is not None and result.thresholds == rules.thresholds
    yield _same("thresholds", asked, result, "it was measured against the criteria as they are now")
    since = results if latest is None else results[results.index(latest) + 1 :]
    faults = sum(each.result.outcome == "fail" for each in since)
    yield GateCriterion(
        name="found_since", outcome="fail" if faults else "pass", unit="reconciliations", bound="most", threshold=0,
        distance=faults, measured=faults, words="reconciliations on demand that have found a fault since",
    )  # fmt: skip


def _age(latest: Evidence | None, rules: GateRules, now_ms: int) -> GateCriterion:
    words = "since the latest round of the reconciliation"
    hours = None if latest is None else max(0, now_ms - latest.recorded_ms) // HOUR_MS
    off = 0 if hours is None else max(0, hours - rules.max_age_hours)
    return GateCriterion(
        name="age", outcome="pass" if hours is not None and not off else "inconclusive", unit="hours", bound="most",
        threshold=rules.max_age_hours, distance=off, measured=hours, words=words,
    )  # fmt: skip


def _left(latest: Evidence | None, rules: GateRules, now_ms: int) -> GateCriterion:
    ends = None if latest is None else expires_ms(latest.result, rules)
    hours = None if ends is None else max(0, ends - now_ms) // HOUR_MS
    return GateCriterion(
        name="left", outcome="pass" if hours else "inconclusive", unit="hours", bound="least", threshold=1,
        distance=0 if hours else 1, measured=hours, words="for which a certificate on what was observed would hold",
    )  # fmt: skip


def _same(name: str, is_so: bool, result: Reconciliation | None, words: str) -> GateCriterion:
    return GateCriterion(
        name=name, outcome="pass" if is_so else "inconclusive", unit="", bound="least", threshold=1,
        distance=0 if is_so else 1, measured=None if result is None else int(is_so), words=words,
    )  # fmt: skip


def expires_ms(result: Reconciliation, rules: GateRules) -> int | None:
    """Until when a certificate on a reconciliation holds; None where nothing was observed."""
    end = result.observed.to
    return None if end is None else instant_ms(end) + rules.certificate_days * DAY_MS


def instant_ms(at: datetime) -> int:
    """An aware instant as whole milliseconds since the epoch."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _missing(found: Sequence[GateCriterion], latest: Evidence | None) -> Iterator[str]:
    if latest is None:
        yield "a round of the reconciliation: there has been none, so nothing else is known"
    for each in found:
        if each.counts == "fail" or (each.counts == "inconclusive" and latest is not None):
            yield _line(each)


def _line(each: GateCriterion) -> str:
    if not each.unit:
        return f"not so: {each.words}"
    known = "not known" if each.measured is None else f"{each.measured:,}"
    return f"{each.words}: {known}, asked for: at {each.bound} {each.threshold:,} {each.unit}"


def _earliest(
    found: Sequence[GateCriterion], latest: Evidence | None, subject: Subject, rules: GateRules, now_ms: int
) -> int:
    open_ = {each.name for each in found if each.counts != "pass"}
    observed = None if latest is None else latest.result.observed
    if observed is not None and observed.to is not None and open_ & _OF_THE_PAST:
        return max(now_ms, proven_at_ms(subject.policy, rules, instant_ms(observed.to)))
    if observed is None or observed.from_ is None or open_ & _OF_TIME:
        begun = subject.since_ms if observed is None or observed.from_ is None else instant_ms(observed.from_)
        return max(now_ms, proven_at_ms(subject.policy, rules, begun))
    return now_ms
