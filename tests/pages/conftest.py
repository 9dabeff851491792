"""A door with a history, a policy and a staging, and browsers of people with each role."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import get_args

import httpx
import pytest

from dev.ports import free_port
from dev.stack import Stack
from policy_store import alert_targets, alerts, jobs, policies, stagings
from policy_store.alerts import Alert
from policy_store.api_keys import Role
from policy_store.change import Change
from spendgate.engine.staging import Staging
from spendgate.model.policy_source import check_bytes
from tests.door.browser import Browser
from tests.door.conftest import Door, make
from tests.engine.scenes import TENANT, call, correction, log_of
from tests.live.waiting import until
from tests.pages.counted import ZONE, count, today
from tests.reconcile.test_reconcile import busy, write

ROLES: tuple[Role, ...] = tuple(each for each in get_args(Role) if each != "ingest")
"""Of people; a sender's key opens no session."""
POLICY = f"""\
apiVersion: spendgate/v1
kind: Policy
metadata: {{name: capped, owner: finance}}
spec:
  rules:
    - budget: {{cap_usd: "20", window: {{calendar: day, timezone: {ZONE}}}, per: [team], on_breach: deny}}
"""
CASES = """\
apiVersion: spendgate/v1
kind: Policy
metadata: {name: cases}
spec:
  scope: {exclude: {workflow: [incident-*]}}
  rules:
    - budget: {cap_usd: "8", window: {lifetime: true}, per: [team, employee], warn_at_percent: [75], on_breach: review}
"""
USD = 10**9


@pytest.fixture(scope="module")
def house(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The door of a module."""
    made = make(stack.bootstrap, tmp_path_factory.mktemp("pages"))
    log, decisions, _ = busy()
    later = (
        call(timedelta(minutes=50), "out", kind="outcome", refers_to="e17", outcome="accepted"),
        correction(timedelta(minutes=51), "e17", 5),
    )
    write(made.ledger, log_of(*(record.body for record in log), *later), decisions)
    made.start(SPENDGATE_ALERTS_ALLOW="127.0.0.1", SPENDGATE_REDIS=stack.redis_url)
    made.key("viewer", tenant=TENANT)
    policy = check_bytes(POLICY.encode(), "body")[0][0].policy
    with made.changes().of(TENANT, "eda") as change:
        found = policies.create(change, policy, POLICY)
        other = POLICY.replace("capped", "other")  # decisions of the history name it
        policies.create(change, check_bytes(other.encode(), "body")[0][0].policy, other)
        asked = stagings.submit(change, "capped", found.latest.hash, "there is no history yet")
        cases = check_bytes(CASES.encode(), "body")[0][0].policy
        per_case = policies.create(change, cases, CASES)
        jobs.start(change, policy, '{"sweep":"cap=5:50:5"}', is_stored=True)
    with made.changes().of(TENANT, "amy") as change:
        stagings.approve(change, asked.id, asked.revision, made.signer, "good")
        tell(change, made)
    in_force = Staging(asked.id, "capped", found.latest.hash, "shadow", 1)
    cases_in_force = Staging("stg-cases", "cases", per_case.latest.hash, "shadow", 2)
    teams = {"team=t0": (20 * USD, 31 * USD), "team=t1": (17 * USD, 17 * USD), "team=t2": (0, 0)}
    of_cases = {f"team=t{n % 2} employee=e{n}": (n * USD // 4, n * USD // 4) for n in range(40)}
    count(made, stack.redis_url, [(in_force, today(), teams), (cases_in_force, "0", of_cases)])
    with house_client(made) as client:
        until(lambda: client.get("/v1/simulations").json()["items"][0]["state"] == "done", "the simulation to be done")
    yield made
    made.close()


def tell(change: Change, door: Door) -> None:
    """A target that does not answer, and an alert for it."""
    nowhere = f"https://127.0.0.1:{free_port()}/a-path-that-is-a-secret"
    alert_targets.create(change, alert_targets.sealer_of(door.signer), "ops", "webhook", nowhere)
    about = Alert(
        "alr-1", TENANT, "cap", "capped", "stg-1", "shadow", "over the cap of $20.00", change.now_ms, rule=0,
        verdict="deny", source="app", event_id="e17",
    )  # fmt: skip
    alerts.raise_(change.connection, about, change.now_ms)


def browser_of(house: Door, role: Role, person: str = "", tenant: str = TENANT) -> Browser:
    """Somebody's browser, signed in."""
    found = Browser(house)
    answer = found.by_key(house.key(role, person or f"the-{role}", tenant))
    assert answer.status_code == 303, answer.text
    return found


@pytest.fixture(scope="module")
def browsers(house: Door) -> Iterator[dict[Role, Browser]]:
    """One of each role."""
    found = {role: browser_of(house, role) for role in ROLES}
    yield found
    for each in found.values():
        each.close()


@pytest.fixture(scope="module")
def ids(house: Door) -> Callable[[str], str]:
    """Fills in what an address names of this door: STAGING, JOB."""
    with house.database.read() as connection:
        staging = stagings.of_policy(connection, TENANT, None)[0].id
        job = jobs.listed(connection, TENANT)[0].id
    return lambda address: address.replace("STAGING", staging).replace("JOB", job)


def house_client(house: Door) -> httpx.Client:
    """A program that reads."""
    return house.as_("viewer", "a-program", TENANT)
