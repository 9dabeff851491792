"""The reconciliation agent: proves, over and over, that what shadow said is what a replay of the ledger says.

Every round it compares each live staging and records the result in the policy store, which draws the consequences: a
staging that is proven gets its certificate, one that is not any more steps back, an enforced one in which a fault is
found is demoted. Between rounds it compares the counters of what is enforced, and a difference begins a round at once.
Any number of these agents may run; one at a time has the lease.
"""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy import Connection, select

from policy_store import asked_rounds, flags, gates, reconciliations, stagings
from policy_store.asked_rounds import AskedRound
from policy_store.change import Changes
from policy_store.enforcement import SYSTEM
from policy_store.errors import NotFound, Refused, StoreAway
from policy_store.lifecycle import LIVE
from policy_store.outbox import give_lease_back, take_lease
from policy_store.reconciliations import Recorded
from policy_store.signing import Signer
from policy_store.stagings import Staging
from policy_store.tables import stagings as staging_rows
from policy_store.tables import versions
from spendgate.cli.reconcile_bill import BillOptions, compared_bill
from spendgate.failure import Failure
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.delta_verify import Offsets, Source, verify
from spendgate.ledger.ledger_errors import LedgerError
from spendgate.ledger.reader_problem import InputError
from spendgate.model.canonical import from_canonical
from spendgate.model.policy import Policy
from spendgate.model.reconciliation import Thresholds
from spendgate.model.reconciliation_parts import BillResult, CountersResult
from spendgate.reconcile.asked import Proofs, Wanted
from spendgate.reconcile.estimates import estimates, recorded_checks
from spendgate.reconcile.run import reconcile

log = logging.getLogger(__name__)

ROUNDS = Counter("spendgate_reconciliations", "Reconciliations recorded, by outcome", ["outcome"])
FAILED = Counter("spendgate_reconciliations_failed", "Reconciliations that could not be made")
DEMOTED = Counter("spendgate_demotions", "Stagings that a reconciliation has brought back to shadow")
UNEQUAL = Counter("spendgate_counters_unequal", "Looks at counters that found a difference")
ROUND_S = Histogram("spendgate_reconciliation_seconds", "Time that one staging's reconciliation took")
ROUND_AT = Gauge("spendgate_reconciliation_round_timestamp_seconds", "When the last whole round ended")
LEASE = "reconciliation"
LOOK_S = 1.0
FORESEEN = (Failure, LedgerError, InputError, NotFound, Refused, OSError)
"""What may keep a staging from being reconciled, in words that are fit for a user."""

Counters = Callable[[str], CountersResult]
"""A tenant's counters in Redis against the replayed sums. Raises Failure."""
TopicOffsets = Callable[[], Mapping[TableName, Mapping[Source, Offsets]]]
"""What the broker says of the topics behind the ledger's tables. Raises Failure."""


@dataclass(frozen=True)
class Pace:
    """Seconds between rounds, and between looks at the counters of what is enforced."""

    round_s: float = 300.0
    counters_s: float = 15.0


@dataclass
class Reconciler:
    """Makes rounds. ``ledger``: its folder or URL; ``bills``: a folder with ``TENANT.csv`` (or ``.parquet``), which is
    final where ``TENANT.final`` stands beside it. ``clock``: monotonic seconds."""

    changes: Changes
    signer: Signer
    ledger: str
    counters: Counters
    offsets: TopicOffsets
    holder: str
    bills: Path | None = None
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic
    _round_s: float = float("-inf")
    _looked_s: float = float("-inf")

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop."""
        while not stopping.wait(LOOK_S):
            try:
                self.look()
            except StoreAway as error:
                log.warning("reconciliation waits for the policy store: %s", error)
        with contextlib.suppress(StoreAway), self.changes.database.begin() as connection:
            give_lease_back(connection, self.holder, LEASE)

    def look(self) -> None:
        """Do what is due, if this agent has the lease. Raises StoreAway."""
        if not self._has_lease():
            return
        self._make_asked()
        if self.clock() - self._round_s >= self.pace.round_s:
            if self.round(self._live()):
                ROUND_AT.set_to_current_time()
            self._round_s = self._looked_s = self.clock()
        elif self.clock() - self._looked_s >= self.pace.counters_s:
            self._look_at_counters()
            self._looked_s = self.clock()

    def _has_lease(self) -> bool:
        """Whether this agent is the one, from now on for two rounds' time; asked before each staging, for a round of
        many may take longer."""
        lasts_ms = int(2 * max(self.pace.round_s, self.pace.counters_s) * 1000)
        with self.changes.database.begin() as connection:
            return take_lease(connection, self.holder, self.changes.now_ms(), lasts_ms, LEASE)

    def _make_asked(self) -> None:
        """The rounds that operators have asked for; what an agent that died had begun is among them."""
        with self.changes.database.read() as connection:
            waiting = asked_rounds.undone(connection)
        for asked in waiting:
            if not self._has_lease():
                return
            asked_rounds.begin(self.changes, asked)
            try:
                with self.changes.database.read() as connection:
                    staging = stagings.require(connection, asked.tenant, asked.staging)
                recorded = self.reconcile(staging, asked)
            except StoreAway:
                raise
            except Exception as error:  # noqa: BLE001 - one staging's fault keeps no other from being reconciled
                asked_rounds.finish(self.changes, asked, None, _failed(asked.staging, error))
            else:
                asked_rounds.finish(self.changes, asked, recorded.id)

    def _live(self) -> list[Staging]:
        with self.changes.database.read() as connection:
            live = select(staging_rows).where(staging_rows.c.state.in_(LIVE)).order_by(staging_rows.c.tenant)
            return [Staging(**row) for row in connection.execute(live).mappings()]

    def _look_at_counters(self) -> None:
        with self.changes.database.read() as connection:
            view = flags.read_flags(connection)
        for tenant in view.stagings:
            try:
                is_equal = self._compared(tenant).equal
            except StoreAway:
                raise
            except Exception as error:  # noqa: BLE001 - one tenant's fault keeps no other from being looked at
                log.warning("counters cannot be compared: %s", _words(error))
                continue
            if not is_equal:
                self.round([each for each in self._live() if each.tenant == tenant])

    def _compared(self, tenant: str) -> CountersResult:
        found = self.counters(tenant)
        if not found.equal:
            UNEQUAL.inc()
        return found

    def round(self, live: Iterable[Staging]) -> bool:
        """Reconcile each of these stagings, and record it; what cannot be is said, and the others are. False where
        another agent has the lease by then. Raises StoreAway."""
        for staging in live:
            if not self._has_lease():
                return False
            try:
                with ROUND_S.time():
                    self.reconcile(staging)
            except StoreAway:
                raise
            except Exception as error:  # noqa: BLE001 - one staging's fault keeps no other from being reconciled
                _failed(staging.id, error)
        return True

    def reconcile(self, staging: Staging, asked: AskedRound | None = None) -> Recorded:
        """One staging, from its activation on, or the part of the log that was asked for; as it was recorded."""
        interval = (None, None) if asked is None else (asked.from_ms, asked.to_ms)
        wanted = Wanted(staging.tenant, staging.policy, *interval, staging=staging.id)
        with self.changes.database.read() as connection:
            thresholds = gates.rules_of(connection, staging.tenant).rules.thresholds
            policies = _policies(connection, staging.tenant)
        ledger = Ledger.open(self.ledger)
        result = reconcile(ledger, policies, wanted, self._proofs(ledger, wanted, thresholds))
        with self.changes.of(staging.tenant, SYSTEM) as change:
            on_demand = asked is not None and asked.is_part
            recorded, settled = reconciliations.record(change, result, self.signer, on_demand=on_demand)
        ROUNDS.labels(recorded.outcome).inc()
        if staging.state == "enforced" and settled.staging.state != "enforced":
            DEMOTED.inc()
        log.info("staging %s: %s, %d of %d calls differ, gate %s",
                 staging.id, recorded.outcome, recorded.differing, recorded.replayed, recorded.gate)  # fmt: skip
        return recorded

    def _proofs(self, ledger: Ledger, wanted: Wanted, thresholds: Thresholds) -> Proofs:
        """All that can be had: the topics' offsets are asked after the ledger was opened, so they are never less."""
        offsets = self.offsets()
        has_checks = ledger.table("checks") is not None
        return Proofs(
            thresholds=thresholds,
            verified=verify(ledger, offsets),
            offsets_at_ms=self.changes.now_ms(),
            counters=self._compared(wanted.tenant),
            bill=self._bill(ledger, wanted, thresholds),
            estimates=estimates(recorded_checks(ledger, wanted.tenant), ledger, wanted) if has_checks else None,
        )

    def _bill(self, ledger: Ledger, wanted: Wanted, thresholds: Thresholds) -> BillResult | None:
        if self.bills is None:
            return None
        files = [self.bills / f"{wanted.tenant}{ending}" for ending in (".csv", ".parquet")]
        file = next((each for each in files if each.is_file()), None)
        is_final = (self.bills / f"{wanted.tenant}.final").exists()
        return compared_bill(BillOptions(file, is_final), ledger, wanted, thresholds)


def _failed(staging: str, error: Exception) -> str:
    """Tell that a staging could not be reconciled, and why."""
    FAILED.inc()
    words = _words(error)
    log.error("staging %s cannot be reconciled: %s", staging, words)
    return words


def _words(error: Exception) -> str:
    """Of what nobody foresaw its kind alone, for its words may quote a row."""
    log.debug("the reason in full", exc_info=error)
    return str(error) if isinstance(error, FORESEEN) else f"a fault of ours ({type(error).__name__})"


def _policies(connection: Connection, tenant: str) -> dict[str, Policy]:
    """All versions of a tenant, by hash."""
    rows = connection.execute(select(versions.c.hash, versions.c.document).where(versions.c.tenant == tenant))
    return {row.hash: from_canonical(row.document) for row in rows}


def serve(reconciler: Reconciler) -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    stopping = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopping.set())
    reconciler.run(stopping)
    log.info("stopped")
    return 0
