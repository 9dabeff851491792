"""kill -9 at each step of the live path: nothing is lost, nothing counted twice."""

from dev.trial.workers import KILLED
from tests.live.samples import POLICIES, calls
from tests.live.waiting import until
from tests.live.world import World

STEPS = ("decoded", "read", "decided", "published", "applied", "acknowledged")
TENANTS = ("acme", "globex", "initech")


def test_a_worker_killed_at_any_step_loses_nothing_and_counts_nothing_twice(world: World) -> None:
    for tenant in TENANTS:
        for policy in POLICIES:
            world.stage(tenant, policy, f"{policy.metadata.name}-1")
    for seed, step in enumerate(STEPS):
        # The second batch of this worker, so that there is one before it and one after.
        worker = world.worker(SPENDGATE_FAULT=f"{step}:{2 if seed else 3}")
        for tenant in TENANTS:
            world.send(calls(120, seed, tenant), per_message=20)
        until(worker.owned, "an assignment")
        for tenant in TENANTS:
            world.send(calls(60, 100 + seed, tenant), per_message=20)
        assert worker.ended() == KILLED, step
    world.worker()
    world.settle()
    owed = world.verify()
    assert owed.verdicts() == {"approve", "warn", "review", "deny"}
    assert owed.duplicates > 0
    for tenant in TENANTS:
        world.recount(tenant, "monthly-1")
