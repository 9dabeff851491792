"""A staging that is proven, by a result as the reconciliation agent records it, for trials of what comes afterwards."""

from datetime import UTC, datetime, timedelta

from policy_store import audit, enforcement, gates, reconciliations, stagings
from policy_store.change import Changes
from policy_store.enforcement import SYSTEM
from policy_store.flags import Level
from policy_store.signing import Signer
from spendgate.model.decision import Position
from spendgate.model.reconciliation import Calls, Interval, Reconciliation, SourceRead, StagingSeen
from spendgate.model.reconciliation_parts import BillResult, Bucket, CountersPart, CountersResult, Lag, LedgerResult
from spendgate.model.topics import load_topics
from spendgate.reconcile.criteria import Measured, criteria, outcome
from spendgate.reconcile.gate import Subject
from spendgate.reconcile.gate_rules import GateRules

SEEN = timedelta(days=40)
_DAY, _CALLS, _DOLLAR = "2026-06-14", 5000, 10**9


def _bill() -> BillResult:
    bucket = Bucket(day=_DAY, billed_nano_usd=_DOLLAR, ledger_nano_usd=_DOLLAR, tolerance_nano_usd=10_000_000)
    return BillResult(
        file_hash="0" * 64, final=True, whole=True, calendar="UTC", first_day=_DAY, last_day=_DAY, currency="USD",
        total_buckets=1, differing_buckets=0, billed_nano_usd=_DOLLAR, ledger_nano_usd=_DOLLAR,
        unattributed_billed_nano_usd=0, unattributed_ledger_nano_usd=0, buckets=(bucket,),
    )  # fmt: skip


def _measured() -> Measured:
    part = CountersPart(partition=0, topic_id="t", mark=9, slots=4, cells=9, identities=9)
    return Measured(
        replayed=_CALLS, differing=0, unexplained=0, looked=_CALLS, hours=48, windows=(1, 1), near_cap=12, answers=None,
        ledger=LedgerResult(lacking=0, behind=0), counters=CountersResult(equal=True, partitions=(part,)), bill=_bill(),
        lag=Lag(decisions=_CALLS, p50_ms=4, p99_ms=40, max_ms=80, over=0, waiting=0),
    )  # fmt: skip


def _passing(of: Subject, rules: GateRules, now: datetime) -> Reconciliation:
    found = criteria(_measured(), rules.thresholds, {})
    seen = StagingSeen(
        staging=of.staging, policy=of.policy.metadata.name, hash=of.hash, stage="shadow",
        position=Position(load_topics().events.name, 0, 7, 0), begun_at=now - SEEN,
    )  # fmt: skip
    return Reconciliation(
        tenant=of.tenant, policy=of.policy.metadata.name, staging=of.staging, outcome=outcome(found), criteria=found,
        thresholds=rules.thresholds, asked=Interval(), observed=Interval(from_=now - SEEN, to=now),
        calls=Calls(replayed=_CALLS, matched=_CALLS, repeated=0, differing_at_most_ppb=600_000), stagings=(seen,),
        sources=(SourceRead(topic=load_topics().events.name, topic_id="t", partition=0, first=0, last=99, decided=99),),
        ledger=LedgerResult(lacking=0, behind=0), settings=of.settings.model_dump(), engine_version=of.engine_version,
        ledger_versions={"events": 7, "decisions": 5}, price_book_hash="1" * 64,
    )  # fmt: skip


def prove(changes: Changes, signer: Signer, tenant: str, staging: str) -> None:
    """Record a result that opens the gate."""
    with changes.of(tenant, SYSTEM) as change:
        found = stagings.require(change.connection, tenant, staging)
        looked = gates.look(change.connection, found, change.now_ms)
        result = _passing(looked.subject, looked.rules, datetime.fromtimestamp(change.now_ms / 1000, UTC))
        reconciliations.record(change, result, signer)


def turn_on(changes: Changes, signer: Signer, tenant: str, level: Level, staging: str | None = None) -> None:
    """Two operators turn a flag on."""
    whose = audit.SYSTEM if level == "global" else tenant
    with changes.of(whose, "cat") as change:
        asked = enforcement.request_on(change, level, staging, None, "a trial")
    with changes.of(whose, "dan") as change:
        enforcement.confirm_on(change, asked.id, signer)
