"""``spendgate enforcement records``: every record of the topic, filtered, the newest last."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from typer.testing import CliRunner

from dev.stack import Stack
from spendgate.cli.kafka_client import Producer
from spendgate.cli.main import app
from spendgate.model.enforcement_record import Enforcement, EnforcementKind, encode_enforcement
from tests.cli.broker import Broker

NOW = datetime(2026, 11, 5, 9, tzinfo=UTC)


def record(number: int, kind: EnforcementKind, tenant: str = "acme", policy: str = "cap") -> Enforcement:
    return Enforcement(
        kind=kind, tenant=tenant, time=NOW + timedelta(seconds=number), staging="stg-1", policy=policy,
        why="policy_off", check_id=f"chk-{number}", estimate_nano_usd=5_000_000_000,
    )  # fmt: skip


@pytest.fixture
def broker(stack: Stack) -> Broker:
    return Broker(stack.bootstrap)


def shown(broker: Broker, *arguments: str) -> list[Enforcement]:
    found = CliRunner().invoke(app, ["enforcement", "records", "--json", *arguments], env=broker.env)
    assert found.exit_code == 0, found.output
    return [msgspec.convert(json.loads(line), Enforcement) for line in found.stdout.splitlines()]


def test_records_are_all_shown_by_time_and_as_they_are_asked_for(broker: Broker) -> None:
    kinds: tuple[EnforcementKind, ...] = ("granted", "denied", "let_through", "denied", "withdrawn")
    sent = [record(n, kind, ("acme", "other")[n % 2], ("cap", "month")[n // 3]) for n, kind in enumerate(kinds)]
    with Producer(broker.bootstrap, 20, lambda _: None) as producer:
        raw = [(each.tenant.encode(), encode_enforcement(each)) for each in reversed(sent)]
        topic = broker.topics.enforcements.name
        producer.wait([producer.send(topic, *each) for each in (*raw, (b"acme", b"no record"))])
    assert shown(broker) == sent
    assert shown(broker, "--limit", "2") == sent[-2:]
    assert shown(broker, "--kind", "denied", "--kind", "withdrawn") == [sent[1], sent[3], sent[4]]
    assert shown(broker, "--policy", "cap", "--tenant", "acme") == [sent[0], sent[2]]

    told = CliRunner().invoke(app, ["enforcement", "records", "--kind", "let_through"], env=broker.env)
    assert "acme  cap (stg-1)  let through: policy off, estimated at $5" in told.output
    assert "1 messages held no record and were passed over" in told.output
