"""Levels are the sums that a store was given, whole slots and walked ones alike; of too many nothing is read."""

from secrets import token_hex

import pytest

from dev.stack import Stack
from spendgate.engine.names import Window
from tests.stack import new_directory, run_directory, stack
from window_counters.keys import keys_of
from window_counters.levels import AT_ONCE, Levels
from window_counters.protocol import PartitionId, StoreUnfit
from window_counters.redis_store import RedisStore

__all__ = ["new_directory", "run_directory", "stack"]
pytestmark = pytest.mark.asyncio
COUNTERS = AT_ONCE * 2
MONTH = Window(0, (("t s 0 1", ("a0 ", "r0 ")),))
ROLLING = Window(0, (("t s 1 9", ("a0 ", "r0 ", "a1 ", "r1 ")), ("t s 1 8", ("A ", "R ")), ("t s 1 7", ("a2 ", "r2 "))))
EMPTY = Window(0, (("t s 2 0", ("a0 ", "r0 ")),))


async def test_levels_are_the_sums_of_their_windows(stack: Stack) -> None:
    store, levels = RedisStore(stack.redis_url), Levels(stack.redis_url)
    partition = PartitionId(f"levels-{token_hex(4)}", 0)
    month = {f"{which}0 team=t{n}": n * (1 + (which == "r")) for n in range(COUNTERS) for which in "ar"}
    await store.put(partition, {
        "t s 0 1": month,
        "t s 1 9": {"a0 all": 1, "r0 all": 2, "a1 all": 4, "r1 all": 4, "a5 all": 100, "A all": 105, "R all": 106},
        "t s 1 8": {"A all": 8, "R all": 16, "a3 all": 8, "r3 all": 16},
        "t s 1 7": {"a1 all": 1000, "r1 all": 1000, "a2 all": 32, "r2 all": 64, "A all": 1032, "R all": 1064},
    })  # fmt: skip
    found = await levels.of(partition, [MONTH, ROLLING, EMPTY])
    assert found[0].levels == {f"team=t{n}": (n, 2 * n) for n in range(COUNTERS)}
    assert found[1].levels == {"all": (1 + 4 + 8 + 32, 2 + 4 + 16 + 64)}
    assert (found[2].levels, found[2].too_many) == ({}, 0)
    few = await levels.of(partition, [MONTH, ROLLING], most=COUNTERS)
    assert (few[0].levels, few[0].too_many, len(few[1].levels)) == ({}, 2 * COUNTERS, 1)
    await store.client.execute_command("HSET", keys_of(partition).slot("t s 2 0"), "a0 all", "much")
    with pytest.raises(StoreUnfit, match="no integer"):
        await levels.of(partition, [EMPTY])
    await store.close()
    await levels.close()
