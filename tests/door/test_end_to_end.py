"""From the door to decisions: a policy staged by the store in mid-month, while events flow through the door, and obeyed
by a worker that trusts the store's signature alone. Its counters know what was spent before."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from policy_store import policies, stagings, tenants
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import make_key_file
from spendgate.model.decision import Decision
from spendgate.model.event import Event, encode_events
from spendgate.model.policy import Policy
from tests.door.conftest import TENANT, Door
from tests.live.conftest import make_world, world
from tests.live.samples import EDITED, MONTHLY, calls
from tests.live.waiting import until
from tests.live.world import World

__all__ = ["make_world", "world"]

WAITED_S = 10.0
"""A partition never waits longer than this for a seed of some hundred events, on a machine that is busy."""


def door_onto(world: World, folder: Path, **settings: str) -> Door:
    """A door onto a world's topics, started, with a tenant."""
    url = f"sqlite:///{folder / 'store.db'}"
    database = Database(url)
    migrate(database)
    signer = make_key_file(folder / "store.pem")
    made = Door(folder, world.broker, world.topics, world.prefix, database, url, signer)
    with made.changes().of(TENANT, "root") as change:
        tenants.create(change)
    made.start(**settings)
    return made


@pytest.fixture
def opened(world: World, tmp_path: Path) -> Iterator[Door]:
    """A door onto the world's topics."""
    made = door_onto(world, tmp_path)
    yield made
    made.stop(kill=True)
    made.database.close()


def stage(door: Door, world: World, policy: Policy) -> str:
    """Stage a policy through the store, as two people do; returns the staging's id once its record is on the log."""
    before = len(activations(door))
    with door.changes().of(TENANT, "ann") as change:
        known = {each.name: each for each in policies.listed(change.connection, TENANT)}
        name = policy.metadata.name
        found = (
            policies.edit(change, policy, "-", known[name].revision)
            if name in known
            else policies.create(change, policy, "-")
        )
        asked = stagings.submit(change, name, found.latest.hash, "no history yet")
    with door.changes().of(TENANT, "bob") as change:
        staged = stagings.approve(change, asked.id, asked.revision, door.signer)
    world.policies[found.latest.hash] = policy
    until(lambda: len(activations(door)) > before, "the activation on the log")
    return staged.id


def activations(door: Door) -> list[str]:
    """The stagings that records of the log begin."""
    found = [msgspec.json.decode(row.value) for row in door.rows()]
    return [each["staging"] for each in found if isinstance(each, dict) and each.get("kind") == "activation"]


def send(door: Door, events: list[Event]) -> None:
    """Post events as a sender does, which names no tenant."""
    bodies = [{k: v for k, v in each.items() if k != "tenant"} for each in json.loads(encode_events(events))]
    with door.as_("ingest") as client:
        assert client.post("/v1/events", json=bodies).json()["accepted"] == len(events)


def settle(door: Door, world: World) -> None:
    """Wait until a worker has applied all that stands on the log."""
    for row in door.rows():
        world.broker.ends[row.partition] = row.offset + 1
    world.settle()


def test_a_policy_staged_in_mid_month_knows_what_was_spent_and_nothing_waits_long(world: World, opened: Door) -> None:
    world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=opened.signer.public)
    flow = [calls(80, seed, TENANT) for seed in range(4)]
    send(opened, flow[0])
    settle(opened, world)
    begun_at = len(opened.rows())  # what came before waited for the worker's start
    first = stage(opened, world, MONTHLY)
    send(opened, flow[1])
    second = stage(opened, world, EDITED)
    send(opened, flow[2])
    settle(opened, world)
    owed = world.verify()
    assert activations(opened) == [first, second]
    decided = [
        decision
        for row in world.broker.read(world.topics.decisions)
        for decision in msgspec.json.decode(row.value or b"[]", type=list[Decision])
    ]
    assert {decision.decision_id for decision in decided} == set(owed.decisions)
    received = {(row.partition, row.offset): row.timestamp_ms for row in opened.rows() if row.offset >= begun_at}
    waits_s = [
        each.decided_at.timestamp() - received[place] / 1000
        for each in decided
        if (place := (each.position.partition, each.position.offset)) in received
    ]
    assert max(waits_s) < WAITED_S


def test_a_record_that_the_store_has_not_signed_moves_no_worker(world: World, opened: Door) -> None:
    world.worker(SPENDGATE_DEV="", SPENDGATE_STORE_KEYS=opened.signer.public)
    send(opened, calls(20, 1, TENANT))
    world.stage(TENANT, MONTHLY, "forged")
    send(opened, calls(20, 2, TENANT))
    settle(opened, world)
    decided = [
        each for row in world.broker.read(world.topics.decisions) for each in msgspec.json.decode(row.value or b"[]")
    ]
    assert decided
    assert all("reasons" not in each for each in decided)
    rejected = [msgspec.json.decode(row.value or b"") for row in world.broker.read(world.topics.rejected)]
    assert {(each["reason"], each["field"]) for each in rejected} == {("bad_activation", "signature")}
