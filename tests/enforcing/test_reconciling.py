"""The moment a policy stops being right it steps back by itself: the reconciliation agent on a running system."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from dev.trial.workers import Worker
from policy_store import audit, reconciliations
from spendgate.model.reconciliation import Reconciliation, decode_reconciliation
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.enforcing.test_flip import DOLLAR, capped, told
from tests.live.samples import call
from tests.live.waiting import until

ROUND_S = 3


def reconciler(scene: Scene) -> Worker:
    """Start a reconciliation agent, whose rounds follow each other."""
    environment = {
        **scene.world.environment(), "SPENDGATE_STORE": scene.door.store_url,
        "SPENDGATE_STORE_KEY_FILE": str(scene.folder / "store.pem"), "SPENDGATE_RECONCILE_S": str(ROUND_S),
        "SPENDGATE_RECONCILE_COUNTERS_S": "1",
    }  # fmt: skip
    scene.agents.append(Worker.start(scene.folder / "reconciler.log", environment, "reconciliation"))
    return scene.agents[-1]


def rounds(scene: Scene) -> list[reconciliations.Recorded]:
    """What was recorded by rounds of the agent, the latest first."""
    with scene.door.database.read() as connection:
        return [each for each in reconciliations.listed(connection, TENANT) if each.recorded_by == "spendgate"]


@pytest.mark.timeout(420)
def test_an_altered_counter_demotes_what_is_enforced_and_the_record_names_it(scene: Scene) -> None:
    for role in ("ledger-events", "ledger-decisions"):
        scene.world.recorder(role)
    staging = scene.enforced(capped("1"))
    scene.send(*(call(TENANT, number, datetime.now(UTC), DOLLAR // 10) for number in range(12)))
    scene.world.settle()
    before = len(rounds(scene))
    agent = reconciler(scene)
    until(lambda: len(rounds(scene)) > before, "a round", 150, agent.log)
    scene.answer(429, team="red", estimate_nano_usd=1)

    with Redis.from_url(scene.world.redis_url) as client:
        (slot,) = client.keys(scene.keys.slot(f"{TENANT} {staging} 0 ") + b"*")
        client.hincrby(slot, "a0 team=red", -7)
    until(lambda: demotions(scene), "the demotion", 150, lambda: f"{told(scene)} {agent.log()}")
    scene.answer(200, team="red", estimate_nano_usd=1)
    until(lambda: told(scene)[-1] != "granted", "the lease to be taken back", state=scene.logs)
    (demoted,) = demotions(scene)
    assert (demoted.who, "in Redis" in (demoted.why or "")) == ("spendgate", True), demoted.why
    assert any(is_unequal(each) for each in results(scene))
    until(lambda: any(is_unequal(each) for each in on_topic(scene)), "the round on its topic", state=scene.logs)


def demotions(scene: Scene) -> list[audit.Entry]:
    """What the trail says of steps back."""
    with scene.door.database.read() as connection:
        return [each for each in audit.entries(connection, TENANT) if each.action == "demote"]


def results(scene: Scene) -> list[Reconciliation]:
    """What each round of the agent has found."""
    with scene.door.database.read() as connection:
        documents = [reconciliations.require(connection, TENANT, each.id)[1] for each in rounds(scene)]
    return [decode_reconciliation(each) for each in documents]


def on_topic(scene: Scene) -> list[Reconciliation]:
    """What doors have told of rounds."""
    rows = scene.world.broker.read(scene.world.topics.reconciliations)
    return [decode_reconciliation(row.value or b"") for row in rows]


def is_unequal(result: Reconciliation) -> bool:
    """Whether it has found counters that are not as the log says."""
    return result.counters is not None and not result.counters.equal
