"""Reconcile a ledger with itself: its decisions against a replay of its events, partition by partition."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from spendgate.engine.calls import Calls
from spendgate.engine.decisions import Source
from spendgate.engine.version import ENGINE_VERSION
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision
from spendgate.model.policy import LifetimeWindow, Policy
from spendgate.reconcile.bounds import upper_bound
from spendgate.reconcile.causes import Evidence, Explained, explained
from spendgate.reconcile.criteria import NEAR_CAP_PERCENT, Measured, criteria, outcome
from spendgate.reconcile.join import Difference, Found, Place, difference, extras, place_of
from spendgate.simulate.checkpoints import steps_before
from spendgate.simulate.full_windows import full_windows
from spendgate.simulate.ledger_log import LedgerLog
from spendgate.simulate.replay import LogReplay

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000
MAX_EXAMPLES = 20


class Wanted(NamedTuple):
    """Whose decisions, of which policy (None: all), and over which part of the log, by the broker's time (ms)."""

    tenant: str
    policy: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def holds(self, received_ms: int) -> bool:
        """Whether a record of this instant is looked at; half open, by the broker's time."""
        return (self.from_ms is None or received_ms >= self.from_ms) and (
            self.to_ms is None or received_ms < self.to_ms
        )


@dataclass(slots=True)
class _Tally:
    """What is found while reading. ``differences``: the first, as examples; ``counted``: all, by kind and cause."""

    owed: int = 0
    matched: int = 0
    repeated: int = 0
    near_cap: int = 0
    differences: list[Explained] = field(default_factory=list)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_ms: int | None = None
    last_ms: int | None = None

    def see(self, received_ms: int) -> None:
        """Note an instant that was observed."""
        self.first_ms = received_ms if self.first_ms is None else min(self.first_ms, received_ms)
        self.last_ms = received_ms if self.last_ms is None else max(self.last_ms, received_ms)

    def add(self, found: Explained) -> None:
        """Count a difference; the first ones are kept as examples."""
        self.counted[found.difference.kind, found.cause] += 1
        if len(self.differences) < MAX_EXAMPLES:
            self.differences.append(found)


def reconcile(ledger: Ledger, policies: Mapping[str, Policy], wanted: Wanted) -> dict[str, Any]:
    """The result, as it is printed and kept. ``policies`` by hash: all that the log's activations name.

    Raises LedgerError; KeyError for a policy that is missing.
    """
    tally, lacking, stagings = _Tally(), 0, dict[str, Activation]()
    topic, mine = _topic(ledger, wanted.tenant), wanted.tenant
    files = (file for file in ledger.files("events") if file.partition["tenant"] == mine)
    sources = sorted({file.source for file in files if file.source is not None})
    for topic_id, partition in sources:
        log = LedgerLog(ledger, topic_id, partition)
        gap = log.gap
        lacking += 0 if gap is None else gap.first + gap.missing
        _Partition(ledger, log, policies, wanted, tally).run(Source(topic, topic_id, partition), stagings)
    judged = [each for each in stagings.values() if wanted.policy in (None, each.policy)]
    measured = _measured(tally, lacking, [policies[each.hash or ""] for each in judged])
    found = criteria(measured)
    return {
        "tenant": wanted.tenant, "policy": wanted.policy, "outcome": outcome(found),
        "engine_version": ENGINE_VERSION, "ledger_versions": dict(ledger.versions),
        "stagings": sorted(each.staging or "" for each in judged),
        "observed": {"from": _text(tally.first_ms), "to": _text(tally.last_ms)},
        "calls": _calls(tally), "criteria": [each._asdict() for each in found],
        "differences": [
            {"kind": kind, "cause": cause, "calls": count} for (kind, cause), count in sorted(tally.counted.items())
        ],
        "examples": [_example(each) for each in tally.differences],
    }  # fmt: skip


class _Partition:
    """One topic partition of one tenant."""

    def __init__(
        self, ledger: Ledger, log: LedgerLog, policies: Mapping[str, Policy], wanted: Wanted, tally: _Tally
    ) -> None:
        self._ledger, self._log, self._policies, self._wanted, self._tally = ledger, log, policies, wanted, tally

    def run(self, source: Source, stagings: dict[str, Activation]) -> None:
        """Replay the tenant's log from its first record on, and compare what is wanted of it."""
        tenant = self._wanted.tenant
        replay = LogReplay(source, self._policies, _NEVER, partial(steps_before, self._log))
        found = self._found(source)
        last = max(found.first, default=(-1, -1))
        self._tally.repeated += found.repeated
        for stretch in self._log.stretches(0, self._log.covered, tenant):
            if stretch.activation is not None:
                _note(stagings, stretch.activation)
                replay.pass_activation(stretch.activation, stretch.last, stretch.received_ms)
            for calls in stretch.calls.values():
                self._compare_stretch(calls, replay, found, last)
        for each in extras(found):
            if each.place[0] <= self._log.covered:  # else the ledger is behind, and will say
                self._add(explained(each, Evidence(is_in_ledger=False)))

    def _compare_stretch(self, calls: Calls, replay: LogReplay, found: Found, last: Place) -> None:
        """Compare a stretch; what was published of it is done with afterwards."""
        owed = {place_of(each): each for each in replay.pass_calls(self._wanted.tenant, calls)}
        is_staged = self._is_staged(replay)
        for offset, index, received_ms in zip(calls.offsets, calls.indexes, calls.received_ms, strict=True):
            at = (offset, index)
            if is_staged and self._wanted.holds(received_ms):
                self._compare(at, owed.get(at), found, last, received_ms)
            found.first.pop(at, None)

    def _compare(self, at: Place, owed: Decision | None, found: Found, last: Place, received_ms: int) -> None:
        published = found.first.get(at)
        if owed is None:
            if published is not None:
                self._add(explained(Difference("extra", at, None, published), Evidence(is_duplicate=True)))
            return
        tally = self._tally
        tally.see(received_ms)
        tally.owed += 1
        tally.near_cap += _is_near_cap(owed, self._wanted.policy)
        differing = difference(owed, found)
        if differing is None or not self._add(explained(differing, Evidence(is_behind_the_last=at > last))):
            tally.matched += 1

    def _add(self, found: Explained) -> bool:
        """Count a difference that touches the wanted policy; whether it does."""
        wanted = self._wanted.policy
        decisions = [each for each in (found.difference.owed, found.difference.found) if each is not None]
        touched = {r.policy for each in decisions for r in each.reasons if r.staging in found.stagings}
        if wanted is not None and touched and wanted not in touched:
            return False
        self._tally.add(found)
        return True

    def _is_staged(self, replay: LogReplay) -> bool:
        """Whether what is wanted was in force: a call that a policy approved may list none of its reasons."""
        stagings = replay.document(self._wanted.tenant).stagings
        return any(self._wanted.policy in (None, staging.policy) for staging in stagings)

    def _found(self, source: Source) -> Found:
        found = Found()
        for batch in self._ledger.decision_batches(self._wanted.tenant):
            for decision in decisions_of(batch):
                at = decision.position
                if (at.topic, at.partition) == (source.topic, source.partition):
                    found.add(decision)
        return found


def _topic(ledger: Ledger, tenant: str) -> str:
    """The name of the topic of events, as the decisions have it; without any there is nothing to compare it with."""
    for batch in ledger.decision_batches(tenant, ["position_topic"], batch_rows=1):
        return str(batch.column("position_topic")[0].as_py())
    return ""


def _note(stagings: dict[str, Activation], activation: Activation) -> None:
    if activation.action == "stage" and activation.staging is not None:
        stagings.setdefault(activation.staging, activation)


def _is_near_cap(decision: Decision, policy: str | None) -> bool:
    return any(
        reason.limit_nano_usd is not None
        and policy in (None, reason.policy)
        and (reason.remaining_nano_usd or 0) - (decision.cost_nano_usd or 0)
        <= reason.limit_nano_usd * NEAR_CAP_PERCENT // 100
        for reason in decision.reasons
    )


def _measured(tally: _Tally, lacking: int, staged: list[Policy]) -> Measured:
    budgets = [rule.budget for policy in staged for rule in policy.spec.rules if rule.budget is not None]
    first, last = tally.first_ms or 0, tally.last_ms or 0
    windows = [
        len(full_windows(budget, first, last)) for budget in budgets if not isinstance(budget.window, LifetimeWindow)
    ]
    return Measured(
        events=tally.owed,
        differences=sum(tally.counted.values()),
        unexplained=sum(count for (_, cause), count in tally.counted.items() if cause == "unexplained"),
        lacking=lacking,
        near_cap=tally.near_cap if budgets else None,
        observed_hours=(last - first) // HOUR_MS,
        full_windows=min(windows, default=None),
    )


def _calls(tally: _Tally) -> dict[str, Any]:
    differing = tally.owed - tally.matched
    return {
        "replayed": tally.owed, "matched": tally.matched, "repeated": tally.repeated,
        "differing_at_most": upper_bound(differing, tally.owed),
    }  # fmt: skip


def _example(found: Explained) -> dict[str, Any]:
    differing = found.difference
    some = differing.owed or differing.found
    return {
        "kind": differing.kind, "cause": found.cause, "words": found.words,
        "offset": differing.place[0], "index": differing.place[1],
        "event_id": None if some is None else some.event_id,
        "replayed": None if differing.owed is None else differing.owed.verdict,
        "shadow": None if differing.found is None else differing.found.verdict,
    }  # fmt: skip


def _text(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")
