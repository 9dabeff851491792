"""The moment a policy stops being right it steps back by itself: the reconciliation agent on a running system."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from dev.trial.workers import Worker
from policy_store import audit, reconciliations
from spendgate.model.reconciliation import decode_reconciliation
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
    until(lambda: scene.ask(team="red", estimate_nano_usd=1).status_code == 429, "the cap to hold", 30)

    with Redis.from_url(scene.world.redis_url) as client:
        (slot,) = client.keys(scene.keys.slot(f"{TENANT} {staging} 0 ") + b"*")
        client.hincrby(slot, "a0 team=red", -7)
    until(
        lambda: told(scene)[-1] == "withdrawn", "the lease to be withdrawn", 150, lambda: f"{told(scene)} {agent.log()}"
    )
    until(lambda: scene.ask(team="red", estimate_nano_usd=1).status_code == 200, "the demotion to be obeyed", 10)
    with scene.door.database.read() as connection:
        _, document = reconciliations.require(connection, TENANT, rounds(scene)[0].id)
        (demoted,) = [each for each in audit.entries(connection, TENANT) if each.action == "demote"]
    result = decode_reconciliation(document)
    assert result.counters is not None
    assert not result.counters.equal
    assert (demoted.who, "in Redis" in (demoted.why or "")) == ("spendgate", True), demoted.why
    topic = scene.world.broker.read(scene.world.topics.reconciliations)
    assert result.outcome in {decode_reconciliation(row.value or b"").outcome for row in topic}
