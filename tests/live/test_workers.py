"""Workers come and go while events flow."""

from collections.abc import Callable

from tests.live.samples import POLICIES, calls
from tests.live.waiting import until
from tests.live.world import World

TENANTS = tuple(f"tenant-{n}" for n in range(12))
ALL = frozenset(range(8))


def flow_until(world: World, condition: Callable[[], object], what: str) -> None:
    """Keep sending, a message of a tenant at a time, until ``condition`` holds."""
    flowing = ((seed, tenant) for seed in range(10_000) for tenant in TENANTS)

    def sent() -> object:
        seed, tenant = next(flowing)
        world.send(calls(10, seed + world.next_seed(), tenant))
        return condition()

    until(sent, what)


def test_partitions_move_between_workers_while_events_flow(world: World) -> None:
    for tenant in TENANTS:
        world.stage(tenant, POLICIES[1], "rolling-1")
        world.stage(tenant, POLICIES[0], "monthly-1")
    first, second = world.worker("one"), world.worker("two")
    flow_until(world, lambda: len(first.owned()) == len(second.owned()) == 4, "four partitions each")
    second.kill()
    third = world.worker("three")
    flow_until(world, lambda: third.owned() and first.owned() | third.owned() == ALL, "a share for the third")
    fourth = world.worker("two")
    flow_until(world, lambda: fourth.owned(), "a share for the one that was killed and came back")
    third.terminate()
    flow_until(world, lambda: first.owned() | fourth.owned() == ALL, "its share given to the others")
    world.settle()
    assert first.alive()
    assert fourth.alive()
    world.verify()
    for tenant in TENANTS:
        world.recount(tenant, "monthly-1")
