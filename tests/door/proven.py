"""Stagings of a real door, proven as the reconciliation agent would: in the store, beside the door."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from policy_store import gates, reconciliations, stagings
from policy_store.enforcement import SYSTEM
from policy_store.reconciliations import Recorded
from spendgate.model.reconciliation import Interval
from tests.door.conftest import Door
from tests.reconcile.results import reconciliation
from tests.store.scenes import source

NAME = "marketing-monthly"


def staged(door: Door, tenant: str, cap: str = "500", revision: int | None = None) -> str:
    """A staging in shadow; asked for by ann, approved by bob. ``revision``: of the policy, where this is an edit."""
    yaml = {"Content-Type": "application/yaml"}
    with door.as_("editor", "ann", tenant) as ann, door.as_("approver", "bob", tenant) as bob:
        if revision is None:
            made = ann.post("/v1/policies", content=source(cap), headers=yaml)
        else:
            tag = {"If-Match": f'"{revision}"'}
            made = ann.put(f"/v1/policies/{NAME}", content=source(cap), headers={**yaml, **tag})
        wanted = {"hash": made.json()["latest"]["hash"], "waiver": "the team is new"}
        asked = ann.post(f"/v1/policies/{NAME}/stagings", json=wanted).json()
        tag = {"If-Match": f'"{asked["revision"]}"'}
        approved = bob.post(f"/v1/stagings/{asked['id']}/approve", json={}, headers=tag)
        assert approved.status_code == 200, approved.text
        return str(asked["id"])


def record(door: Door, tenant: str, staging: str, *, on_demand: bool = False, **measured: Any) -> Recorded:
    """A round of the agent, which passes but for what is said."""
    with door.changes().of(tenant, SYSTEM) as change:
        found = stagings.require(change.connection, tenant, staging)
        looked = gates.look(change.connection, found, change.now_ms)
        now = datetime.fromtimestamp(change.now_ms / 1000, UTC)
        observed = Interval(from_=now - timedelta(days=40), to=now)
        result = reconciliation(looked.subject, looked.rules.thresholds, observed, **measured)
        return reconciliations.record(change, result, door.signer, on_demand=on_demand)[0]


def ask(client: httpx.Client, level: str, staging: str | None = None, **other: Any) -> httpx.Response:
    """Ask for a flag."""
    wanted = {"level": level, "staging": staging, "why": "it is time", **other}
    return client.post("/v1/enforcement/requests", json={k: v for k, v in wanted.items() if v is not None})


def confirm(client: httpx.Client, asked: httpx.Response) -> httpx.Response:
    """Confirm what was asked for."""
    assert asked.status_code == 201, asked.text
    return client.post(f"/v1/enforcement/requests/{asked.json()['id']}/confirm", json={})


def turn_on(door: Door, tenant: str, level: str, staging: str | None = None, **other: Any) -> None:
    """Two operators turn a flag on."""
    with door.as_("operator", "cat", tenant) as cat, door.as_("operator", "dan", tenant) as dan:
        done = confirm(dan, ask(cat, level, staging, **other))
        assert done.status_code == 200, done.text


def enforced(door: Door, tenant: str, **other: Any) -> str:
    """A staging that is enforced; the global flag is on already, or this tenant runs it."""
    staging = staged(door, tenant)
    turn_on(door, tenant, "tenant")
    record(door, tenant, staging)
    turn_on(door, tenant, "policy", staging, **other)
    return staging
