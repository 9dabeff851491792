"""Stagings on their way to enforcement, for the tests of the store: proven, asked for, confirmed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from policy_store import enforcement, gates, reconciliations, stagings
from policy_store.audit import SYSTEM
from policy_store.flags import Flag, Level
from policy_store.flip_requests import Request
from policy_store.reconciliations import Recorded
from policy_store.settling import Settled
from policy_store.stagings import Staging
from spendgate.model.enforcement import Share
from spendgate.model.reconciliation import Interval, Reconciliation
from tests.reconcile.results import reconciliation
from tests.store.conftest import Store
from tests.store.scenes import TENANT, change, drafted

AGENT = "spendgate"


def staged(store: Store) -> Staging:
    """A staging in shadow; asked for by ann, approved by bob."""
    hash_ = drafted(store).latest.hash
    with change(store, "ann") as made:
        asked = stagings.submit(made, "marketing-monthly", hash_)
    with change(store, "bob") as made:
        return stagings.approve(made, asked.id, asked.revision, store.signer)


def result_of(store: Store, staging: Staging, **measured: Any) -> Reconciliation:
    """A reconciliation of the staging up to now, which passes but for what is said."""
    now = datetime.fromtimestamp(store.clock.ms / 1000, UTC)
    with store.database.read() as connection:
        looked = gates.look(connection, staging, store.clock.ms)
    observed = Interval(from_=now - timedelta(days=40), to=now)
    return reconciliation(looked.subject, looked.rules.thresholds, observed, **measured)


def record(store: Store, staging: Staging, *, on_demand: bool = False, **measured: Any) -> tuple[Recorded, Settled]:
    """A round of the agent."""
    result = result_of(store, staging, **measured)
    with change(store, AGENT) as made:
        return reconciliations.record(made, result, store.signer, on_demand=on_demand)


def ask(store: Store, who: str, level: Level, staging: str | None = None, share: Share | None = None) -> Request:
    """Ask for a flag."""
    with change(store, who, SYSTEM if level == "global" else TENANT) as made:
        return enforcement.request_on(made, level, staging, share, "it is time")


def confirm(store: Store, who: str, request: Request) -> Flag:
    """Confirm it."""
    with change(store, who, request.tenant) as made:
        return enforcement.confirm_on(made, request.id, store.signer)


def levels_on(store: Store) -> None:
    """The two levels above, on."""
    for level in ("global", "tenant"):
        confirm(store, "cat", ask(store, "bob", level))


def turn_off(store: Store, level: Level, staging: str | None = None, who: str = "dan") -> enforcement.Ended:
    """Turn it off, and what is beneath it."""
    with change(store, who, SYSTEM if level == "global" else TENANT) as made:
        ended = enforcement.off(made, level, staging, "stop", store.signer)
    if level == "global":
        enforcement.finish_off(store.changes, who, "stop", store.signer)
    return ended


def enforced(store: Store, share: Share | None = None) -> Staging:
    """A staging that is enforced; asked for by bob, confirmed by cat."""
    staging = staged(store)
    levels_on(store)
    record(store, staging)
    confirm(store, "cat", ask(store, "bob", "policy", staging.id, share))
    return state_of(store, staging.id)


def state_of(store: Store, id_: str) -> Staging:
    """The staging as it is now."""
    with store.database.read() as connection:
        return stagings.require(connection, TENANT, id_)
