"""Small logs for the laws: policies, calls and activations at stated instants, and the store's cells by name."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings

from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.tenant import Tenant
from spendgate.engine.windows import BLOCK, BUCKETS, bucket_width_ms
from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.decision import Position
from spendgate.model.event import Event
from spendgate.model.policy import Policy, RollingWindow
from spendgate.simulate.replay import LogReplay
from tests.oracle.documents import Record, to_ms
from tests.oracle.oracle import CounterName
from tests.strategies import policy_hash

START = datetime(2026, 5, 1, 10, 30, tzinfo=UTC)
TENANT = "tenant-0"


def policy(*rules: dict[str, Any], name: str = "policy", **spec: Any) -> Policy:
    """A policy of these rules."""
    return Policy.model_validate(
        {
            "apiVersion": "spendgate/v1",
            "kind": "Policy",
            "metadata": {"name": name},
            "spec": {"rules": list(rules), **spec},
        }
    )


def budget(cap_usd: str, window: dict[str, Any], *, on_breach: str = "deny", **fields: Any) -> dict[str, Any]:
    """A rule that is a budget."""
    return {"budget": {"cap_usd": cap_usd, "window": window, "on_breach": on_breach, **fields}}


def call(after: timedelta, event_id: str, cost: int | None = 10**9, **fields: Any) -> Event:
    """A call so long after START."""
    return Event(id=event_id, source="app", tenant=TENANT, time=START + after, cost_nano_usd=cost, **fields)


def correction(after: timedelta, refers_to: str, cost: int) -> Event:
    """What the call of that id should have cost."""
    return call(after, f"c-{after}-{refers_to}", cost, kind="correction", refers_to=refers_to)


def staged(which: Policy, after: timedelta = timedelta(), staging: str = "staging") -> Activation:
    """An activation that stages a policy."""
    return Activation(
        kind="activation", id=f"activation-{staging}", tenant=TENANT, time=START + after, action="stage",
        staging=staging, policy=which.metadata.name, hash=policy_hash(which),
    )  # fmt: skip


def log_of(*bodies: Event | Activation) -> list[Record]:
    """A log of one record a message, each taken by the broker at its own time."""
    return [Record(Position("spend.events", 0, n, 0), to_ms(body.time), body) for n, body in enumerate(bodies)]


def judge_of(which: Policy) -> Tenant:
    """A judge of one tenant, with one staging in force."""
    staging = Staging("staging", which.metadata.name, "hash", "shadow", 0)
    return Tenant(TENANT, TenantDocument(stagings=(staging,)), {"hash": which})


def asking_for_all(records: list[Record]) -> list[Record]:
    """The log, with every tenant asking for all reasons from the beginning to the end."""
    first = records[0]
    asked = [
        Activation(kind="activation", id=f"all-{tenant}", tenant=tenant, time=START, action="settings",
                   settings=SettingsChange(reasons="all"))
        for tenant in sorted({record.body.tenant for record in records})
    ]  # fmt: skip
    before = [
        Record(Position(first.position.topic, 0, n - len(asked), 0), first.received_at_ms, activation)
        for n, activation in enumerate(asked)
    ]
    return before + [_keeping_all(record) for record in records]


def _keeping_all(record: Record) -> Record:
    body = record.body
    if isinstance(body, Activation) and body.settings is not None:
        body = msgspec.structs.replace(body, settings=msgspec.structs.replace(body.settings, reasons="all"))
    return Record(record.position, record.received_at_ms, body)


def readable_cells(
    replay: LogReplay, policies: Mapping[str, Policy], tenants: Iterable[str] | None = None
) -> dict[CounterName, tuple[int, int]]:
    """The store's cells that a verdict can still read, named as the recount names them: (admitted, recorded).

    A slot of a rolling counter lives as long as its last bucket; the buckets that ended before are left out.
    """
    found: dict[CounterName, tuple[int, int]] = {}
    for tenant in replay.tenants() if tenants is None else tenants:
        document = replay.document(tenant)
        by_staging = {staging.staging: policies[staging.hash] for staging in document.stagings}
        for slot, fields in replay.cells(tenant).items():
            owner, staging, rule, window = slot.split(" ")
            assert owner == tenant
            budget = by_staging[staging].spec.rules[int(rule)].budget
            assert budget is not None
            for name, value in fields.items():
                if name[0] in "AR":  # the total of what is looked at here, bucket by bucket
                    continue
                bucket, key = name[1:].split(" ", 1)
                cell = int(window)
                if isinstance(budget.window, RollingWindow):
                    cell = BLOCK * cell + int(bucket)
                    if (cell + BUCKETS) * bucket_width_ms(budget.window.minutes) <= document.late_ms:
                        continue
                sums = found.get((staging, int(rule), cell, key), (0, 0))
                found[staging, int(rule), cell, key] = (value, sums[1]) if name[0] == "a" else (sums[0], value)
    return found


def examples(count: int) -> settings:
    """So many examples under the default profile, and more by as much as another profile asks for more."""
    return settings(
        max_examples=max(1, count * (settings.default or settings()).max_examples // 100),
        suppress_health_check=[HealthCheck.too_slow],
    )
