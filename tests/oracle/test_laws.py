"""Laws that the recount itself must keep, whatever the log."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.decision import VERDICTS, Position
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from tests.oracle import Oracle, OracleReason, Record
from tests.oracle.counters import MOST_NANO_USD
from tests.oracle.documents import to_ms
from tests.strategies import Log, logs, policy_hash

SLOW = settings(suppress_health_check=[HealthCheck.too_slow])
START = datetime(2026, 5, 1, 10, tzinfo=UTC)
EVERYTHING = SettingsChange(reasons="all")


def _without_other_policies(record: Record, kept: str) -> Record:
    """The record itself; a staging of another policy becomes a void activation at the same place."""
    body = record.body
    if isinstance(body, Activation) and body.action == "stage" and body.hash != kept:
        body = msgspec.structs.replace(body, action="end", staging="unknown", policy=None, hash=None)
    return Record(record.position, record.received_at_ms, body)


def _asking_for_all(log: Log) -> list[Record]:
    """The log, with every tenant asking for all reasons from the beginning to the end."""
    first = log.records[0]
    tenants = sorted({record.body.tenant for record in log.records})
    asked = [Record(first.position, first.received_at_ms, _settings(tenant, n)) for n, tenant in enumerate(tenants)]
    return asked + [_keeping_all(record) for record in log.records]


def _settings(tenant: str, number: int) -> Activation:
    return Activation(
        kind="activation",
        id=f"all-{number}",
        tenant=tenant,
        time=START,
        action="settings",
        settings=EVERYTHING,
    )


def _keeping_all(record: Record) -> Record:
    body = record.body
    if isinstance(body, Activation) and body.settings is not None:
        body = msgspec.structs.replace(body, settings=msgspec.structs.replace(body.settings, reasons="all"))
    return Record(record.position, record.received_at_ms, body)


def _reasons_of(policy: str, log: Log, records: list[Record]) -> list[list[OracleReason]]:
    oracle = Oracle(log.documents)
    decisions = [oracle.feed(record) for record in records]
    return [[r for r in decision.reasons if r.policy == policy] for decision in decisions if decision is not None]


@given(log=logs())
@SLOW
def test_no_policy_sees_another_one(log: Log) -> None:
    kept, policy = next(iter(log.documents.items()))
    together = _asking_for_all(log)
    # What it ends is its own doing: an activation of another policy may name a staging of this one.
    together = [_ending_nothing(record) for record in together]
    alone = [_without_other_policies(record, kept) for record in together]
    name = policy.metadata.name
    assert _reasons_of(name, log, together) == _reasons_of(name, log, alone)


def _ending_nothing(record: Record) -> Record:
    body = record.body
    if isinstance(body, Activation):
        body = msgspec.structs.replace(body, ends=[])
    return Record(record.position, record.received_at_ms, body)


@given(log=logs())
@SLOW
def test_horizons_and_watermarks_never_move_back(log: Log) -> None:
    oracle = Oracle(log.documents)
    before: dict[str, tuple[int, int]] = {}
    for record in log.records:
        oracle.feed(record)
        tenant = record.body.tenant
        watermark, horizon = oracle.watermark_ms(tenant), oracle.late_horizon_ms(tenant)
        assert watermark is not None
        assert horizon is not None
        assert watermark >= record.received_at_ms
        earlier = before.get(tenant, (watermark, horizon))
        assert watermark >= earlier[0]
        assert horizon >= earlier[1]
        before[tenant] = watermark, horizon


@given(log=logs())
@SLOW
def test_the_verdict_is_the_worst_reason_and_no_more_is_admitted_than_recorded(log: Log) -> None:
    oracle = Oracle(log.documents)
    for record in log.records:
        decision = oracle.feed(record)
        if decision is None:
            continue
        assert decision.verdict == max((r.verdict for r in decision.reasons), key=VERDICTS.index, default="approve")
        for reason in decision.reasons:
            assert (reason.used_before_nano_usd or 0) <= (reason.recorded_before_nano_usd or 0)
            assert (reason.overage_nano_usd or 0) == 0 or reason.code == "over_cap"
            assert reason.reset_at is None or reason.code == "over_cap"
    assert all(admitted <= recorded for admitted, recorded in oracle.counters().values())


@pytest.mark.parametrize("window", [{"lifetime": True}, {"rolling": "24h"}, {"calendar": "day"}])
def test_a_counter_stops_at_its_most(window: dict[str, object]) -> None:
    budget = {"cap_usd": "1", "window": window, "on_breach": "review"}
    policy = Policy.model_validate(
        {
            "apiVersion": "spendgate/v1",
            "kind": "Policy",
            "metadata": {"name": "most"},
            "spec": {"rules": [{"budget": budget}]},
        }
    )
    digest = policy_hash(policy)
    staged = Activation(
        kind="activation",
        id="a",
        tenant="t",
        time=START,
        action="stage",
        staging="s",
        policy="most",
        hash=digest,
    )
    calls = [
        Event(id=f"e{n}", source="app", tenant="t", time=START + timedelta(seconds=n), cost_nano_usd=2**53 - 1)
        for n in range(515)
    ]
    bodies: list[Event | Activation] = [staged, *calls]
    oracle = Oracle({digest: policy})
    for offset, body in enumerate(bodies):
        last = oracle.feed(Record(Position("spend.events", 0, offset, 0), to_ms(body.time), body))
    assert last is not None
    assert last.verdict == "review"
    assert last.reasons[0].used_before_nano_usd == last.reasons[0].recorded_before_nano_usd == MOST_NANO_USD
