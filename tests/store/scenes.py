"""Policies and tenants for the tests of the store."""

from contextlib import AbstractContextManager

from policy_store import policies, simulations, tenants
from policy_store.change import Change
from policy_store.policies import Listed
from policy_store.simulations import Found
from spendgate.model.policy import Policy
from spendgate.model.policy_source import read_policy
from tests.store.conftest import Store

TENANT = "acme"
FULL = Found("0" * 64, "1.0", "file hour.jsonl", 1_700_000_000_000, 1_710_000_000_000, 3)


def source(cap: str = "500", name: str = "marketing-monthly") -> str:
    """A policy as somebody writes it."""
    return (
        f"apiVersion: spendgate/v1\nkind: Policy\nmetadata: {{name: {name}}}\n"
        f"spec:\n  rules:\n    - budget: {{cap_usd: '{cap}', window: {{calendar: month, timezone: UTC}}, "
        "per: [team], on_breach: deny}\n"
    )


def policy(cap: str = "500", name: str = "marketing-monthly") -> Policy:
    """The same, read."""
    return read_policy(source(cap, name), "policy.yaml")


def change(store: Store, who: str = "ann", tenant: str = TENANT) -> AbstractContextManager[Change]:
    """A change of the tenant."""
    return store.changes.of(tenant, who)


def tenant(store: Store, name: str = TENANT, *, one_person: bool = False) -> None:
    """Make a tenant."""
    with change(store, "root", name) as made:
        tenants.create(made, one_person=one_person)


def drafted(store: Store, cap: str = "500", *, author: str = "ann", simulated: bool = True) -> Listed:
    """A tenant with one policy, simulated."""
    with store.database.begin() as connection:
        known = tenants.get(connection, TENANT)
    if known is None:
        tenant(store)
    with change(store, author) as made:
        found = policies.create(made, policy(cap), source(cap))
        if simulated:
            simulations.record(made, found.name, found.latest.hash, FULL)
        return found
