"""Workers come and go while events flow."""

from collections.abc import Callable
from itertools import count

from tests.live.samples import EDITED, POLICIES, calls
from tests.live.waiting import until
from tests.live.world import World

TENANTS = tuple(f"tenant-{n}" for n in range(12))
ALL = frozenset(range(8))


class Flow:
    """Sends a message of one tenant after the other, until what is waited for has come."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.numbers = count()

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Keep sending until ``condition`` holds."""

        def sent() -> object:
            number = next(self.numbers)
            self.world.send(calls(10, number, TENANTS[number % len(TENANTS)]))
            return condition()

        until(sent, what)


def test_partitions_move_between_workers_while_events_flow(world: World) -> None:
    for tenant in TENANTS:
        world.stage(tenant, POLICIES[1], "rolling-1")
        world.stage(tenant, POLICIES[0], "monthly-1")
    flow = Flow(world)
    first, second = world.worker("one"), world.worker("two")
    flow.until(lambda: len(first.owned()) == len(second.owned()) == 4, "four partitions each")
    second.kill()
    third = world.worker(None)  # without a slot of its own it leaves the group when it is told to stop
    flow.until(lambda: third.owned() and first.owned() | third.owned() == ALL, "a share for the third")
    for tenant in TENANTS:
        world.stage(tenant, EDITED, "monthly-2", ends=["monthly-1"])
    fourth = world.worker("two")
    flow.until(lambda: fourth.owned(), "a share for the one that was killed and came back")
    third.terminate()
    flow.until(lambda: first.owned() | fourth.owned() == ALL, "its share given to the others")
    world.settle()
    assert first.alive()
    assert fourth.alive()
    world.verify()
    for tenant in TENANTS:
        world.recount(tenant, "monthly-2")
