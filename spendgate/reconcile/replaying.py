"""One topic partition of a tenant's log, replayed and compared with what was published of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np

from spendgate.engine.calls import EPOCH, Calls
from spendgate.engine.decisions import Judgement, Source
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import SourceRead
from spendgate.reconcile.causes import Evidence, Explained, explained
from spendgate.reconcile.join import Difference, Found, Place, difference, extras, place_of
from spendgate.reconcile.tally import Bits, Tally
from spendgate.simulate.checkpoints import steps_before
from spendgate.simulate.ledger_log import LedgerLog
from spendgate.simulate.replay import LogReplay

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class PartitionCompared:
    """Replays one topic partition from its first record on, and tallies what is wanted of it."""

    def __init__(
        self, ledger: Ledger, log: LedgerLog, source: Source, policies: Mapping[str, Policy], tally: Tally
    ) -> None:
        wanted = tally.wanted
        self._log, self._source, self._wanted, self._tally = log, source, wanted, tally
        self._replay = LogReplay(source, policies, _NEVER, partial(steps_before, log))
        self._found = _found(ledger, source, wanted.tenant)
        self._last = max(self._found.first, default=(-1, -1))
        self._waiting_ms: list[int] = []
        self._end_ms = 0

    def run(self) -> SourceRead:
        """Compare; what was read."""
        tenant, covered = self._wanted.tenant, self._log.covered
        self._tally.repeated += self._found.repeated
        for stretch in self._log.stretches(0, covered, tenant):
            self._end_ms = max(self._end_ms, stretch.received_ms)
            if stretch.activation is not None:
                self._replay.pass_activation(stretch.activation, stretch.last, stretch.received_ms)
                document = self._replay.document(tenant)
                self._tally.note(document, self._source.partition, stretch.last, stretch.received_ms)
            for calls in stretch.calls.values():
                self._compare_stretch(calls)
        for each in extras(self._found):
            if each.place[0] <= covered:  # else the ledger is behind, and will say
                self._add(explained(each, Evidence(is_in_ledger=False)))
        self._tally.lags.wait(self._end_ms - at_ms for at_ms in self._waiting_ms)
        self._tally.settings = dict(self._replay.document(tenant).settings)
        gap = self._log.gap
        return SourceRead(
            topic=self._source.topic, topic_id=self._source.topic_id, partition=self._source.partition,
            first=0 if gap is None else gap.first, last=covered, decided=self._last[0],
        )  # fmt: skip

    def _compare_stretch(self, calls: Calls) -> None:
        """Compare a stretch; what was published of it is done with afterwards."""
        tenant = self._wanted.tenant
        judged = self._replay.judge(tenant, calls)
        owed = {place_of(each): each for each in self._replay.decisions(tenant, judged)}
        is_staged = self._is_staged()
        if is_staged:
            self._see(judged)
        lags: list[int] = []
        for offset, index, received_ms in zip(calls.offsets, calls.indexes, calls.received_ms, strict=True):
            at = (offset, index)
            if is_staged and self._wanted.holds(received_ms):
                self._compare(at, owed.get(at), received_ms, lags)
            self._found.first.pop(at, None)
        self._tally.lags.add(np.array(lags, np.int64))

    def _see(self, judged: Judgement) -> None:
        within: Bits = np.array([self._wanted.holds(each) for each in judged.calls.received_ms], np.bool_)
        self._tally.see(self._replay.program(self._wanted.tenant), judged, within)

    def _compare(self, at: Place, owed: Decision | None, received_ms: int, lags: list[int]) -> None:
        tally, published = self._tally, self._found.first.get(at)
        if published is not None:
            lags.append((published.decided_at - EPOCH) // _MS - received_ms)
            tally.engine_versions.add(published.engine_version)
        if owed is None:
            if published is not None:
                self._add(explained(Difference("extra", at, None, published), Evidence(is_duplicate=True)))
            return
        if published is None and at > self._last:
            self._waiting_ms.append(received_ms)
        tally.replayed += 1
        differing = difference(owed, self._found)
        if differing is None or not self._add(explained(differing, Evidence(is_behind_the_last=at > self._last))):
            tally.matched += 1

    def _add(self, found: Explained) -> bool:
        """Count a difference that touches what is wanted; whether it does."""
        decisions = [each for each in (found.difference.owed, found.difference.found) if each is not None]
        touched = {(r.policy, r.staging) for each in decisions for r in each.reasons if r.staging in found.stagings}
        if touched and not any(self._wanted.names(*each) for each in touched):
            return False
        self._tally.add(found)
        return True

    def _is_staged(self) -> bool:
        """Whether what is wanted was in force: a call that a policy approved may list none of its reasons."""
        stagings = self._replay.document(self._wanted.tenant).stagings
        return any(self._wanted.names(each.policy, each.staging) for each in stagings)


def _found(ledger: Ledger, source: Source, tenant: str) -> Found:
    found = Found()
    for batch in ledger.decision_batches(tenant):
        for decision in decisions_of(batch):
            at = decision.position
            if (at.topic, at.partition) == (source.topic, source.partition):
                found.add(decision)
    return found
