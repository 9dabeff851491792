"""Reconciliations as the agent records them, of a policy with one budget, and what may be wrong with one."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spendgate.engine.version import ENGINE_VERSION
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Position
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from spendgate.model.reconciliation import Calls, Interval, Reconciliation, SourceRead, StagingSeen, Thresholds
from spendgate.model.reconciliation_parts import BillResult, Bucket, CountersPart, CountersResult, Lag, LedgerResult
from spendgate.model.settings import Settings
from spendgate.reconcile.criteria import Measured, criteria, outcome
from spendgate.reconcile.gate import Evidence, Subject, instant_ms
from spendgate.reconcile.gate_rules import GateRules

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
NOW_MS = instant_ms(NOW)
DAILY = "budget: {cap_usd: '5', window: {calendar: day, timezone: UTC}, on_breach: deny}"
BOUNDARY = "boundary: {models: {deny: ['gpt-4*']}, on_breach: deny}"


def policy_of(*rules: str, name: str = "daily") -> Policy:
    """A policy of these rules."""
    listed = "\n".join(f"    - {rule}" for rule in rules or (DAILY,))
    return read_policy(
        f"apiVersion: spendgate/v1\nkind: Policy\nmetadata: {{name: {name}}}\nspec:\n  rules:\n{listed}\n",
        "policy.yaml",
    )


POLICY, SETTINGS, THRESHOLDS = policy_of(), Settings(), Thresholds()


def subject(policy: Policy = POLICY, staging: str = "stg-1", settings: Settings = SETTINGS, **other: Any) -> Subject:
    """What is to be enforced."""
    found = Subject("acme", policy, staging, policy_hash(policy), settings, ENGINE_VERSION, instant_ms(NOW - 10 * DAY))
    return found._replace(**other)


def bill(off_nano_usd: int = 0, *, final: bool = True) -> BillResult:
    """A bill of one bucket."""
    bucket = Bucket(day="2026-06-14", billed_nano_usd=10**9 + off_nano_usd, ledger_nano_usd=10**9,
                    tolerance_nano_usd=10_000_000)  # fmt: skip
    return BillResult(
        file_hash="0" * 64, final=final, whole=True, calendar="UTC", first_day="2026-06-14", last_day="2026-06-14",
        currency="USD", total_buckets=1, differing_buckets=int(off_nano_usd > 10_000_000),
        billed_nano_usd=bucket.billed_nano_usd, ledger_nano_usd=10**9, unattributed_billed_nano_usd=0,
        unattributed_ledger_nano_usd=0, buckets=(bucket,),
    )  # fmt: skip


def counters(wrong: int = 0) -> CountersResult:
    """Redis against the replay."""
    part = CountersPart(partition=0, topic_id="t", mark=9, slots=4, cells=9, identities=9, differing_cells=wrong,
                        differing_identities=0, differing_documents=0, error_nano_usd=wrong)  # fmt: skip
    return CountersResult(equal=not wrong, partitions=(part,))


GOOD = Measured(
    replayed=5000, differing=0, unexplained=0, looked=5000, hours=48, windows=(1, 1), near_cap=12, answers=None,
    ledger=LedgerResult(lacking=0, behind=0), counters=counters(), bill=bill(),
    lag=Lag(decisions=5000, p50_ms=4, p99_ms=40, max_ms=80, over=0, waiting=0),
)  # fmt: skip


def reconciliation(
    of: Subject | None = None, thresholds: Thresholds = THRESHOLDS, observed: Interval | None = None, **measured: Any
) -> Reconciliation:
    """One that passes, but for what is said."""
    of = of or subject()
    found = criteria(GOOD._replace(**measured), thresholds, {})
    position = Position("spend.events", 0, 7, 0)
    seen = StagingSeen(staging=of.staging, policy=of.policy.metadata.name, hash=of.hash, stage="shadow",
                       position=position, begun_at=NOW - 3 * DAY)  # fmt: skip
    return Reconciliation(
        tenant=of.tenant, policy=of.policy.metadata.name, staging=of.staging, outcome=outcome(found), criteria=found,
        thresholds=thresholds, asked=Interval(), observed=observed or Interval(from_=NOW - 2 * DAY, to=NOW),
        calls=Calls(replayed=5000, matched=5000, repeated=0, differing_at_most_ppb=600_000),
        stagings=(seen,),
        sources=(SourceRead(topic="spend.events", topic_id="t", partition=0, first=0, last=99, decided=99),),
        ledger=LedgerResult(lacking=0, behind=0), settings=of.settings.model_dump(), engine_version=of.engine_version,
        ledger_versions={"events": 7, "decisions": 5}, price_book_hash="1" * 64,
    )  # fmt: skip


def evidence(
    result: Reconciliation | None = None, *, id_: str = "rec-1", recorded_ms: int = NOW_MS, on_demand: bool = False
) -> Evidence:
    """A recorded one."""
    return Evidence(id_, recorded_ms, on_demand, result or reconciliation())


RULES = GateRules()
