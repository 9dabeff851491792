"""Publishing that fails, and more decisions than a message may hold."""

from datetime import UTC, datetime

from tests.live.samples import POLICIES, budget, call, calls, policy
from tests.live.world import World

MANY = 200


def test_a_produce_that_fails_once_leaves_every_decision_as_it_was(world: World) -> None:
    for staged in POLICIES:
        world.stage("acme", staged, f"{staged.metadata.name}-1")
    world.send(calls(100, 1, "acme"))
    worker = world.worker(SPENDGATE_FAULT_PUBLISH="4")
    world.settle()
    world.send(calls(100, 2, "acme"))
    world.settle()
    assert "broker away" in worker.log()
    assert worker.alive()
    world.verify()
    world.recount("acme", "monthly-1")


def test_500_calls_denied_by_200_policies_are_published_in_messages_that_a_broker_takes(world: World) -> None:
    boundaries = [
        policy(f"boundary-{n}", {"boundary": {"max_cost_usd": "0.000001", "on_breach": "deny"}})
        for n in range(MANY - 2)
    ]
    budgets = [policy(f"budget-{n}", budget("0.000001", {"calendar": "month"})) for n in range(2)]
    for one in (*budgets, *boundaries):
        world.stage("acme", one, f"{one.metadata.name}-1")
    now = datetime.now(UTC)
    world.send([call("acme", number, now) for number in range(500)], per_message=500)
    world.send([call("acme", "next", now)])
    world.worker()
    world.settle()
    owed = world.verify()
    assert [len(decision.reasons) for decision in owed.decisions.values()] == [MANY] * 501
    assert owed.verdicts() == {"deny"}
    assert max(len(m.value or b"") for m in world.broker.read(world.topics.decisions)) <= 512 * 1024
