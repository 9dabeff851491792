"""What a ledger needs from time to time is done, whoever asks first. Time is injected."""

import asyncio
from typing import Any, cast

import pytest

from agents.pacing import Timer
from agents.upkeep import Upkeep

EVERY_S = 1.0
TIMER = Timer(checkpoint_s=EVERY_S, compact_s=0, vacuum_s=0)


class Noting(Upkeep):
    """Notes whose checkpoint it makes, which takes a while, and that no two are made at a time."""

    __slots__ = ("made", "making")
    made: list[int]
    making: bool

    async def _checkpoint(self, partition: int, documents: object) -> None:
        assert not self.making
        self.making = True
        await asyncio.sleep(0)
        self.made.append(partition)
        self.making = False


def noting(now: list[float]) -> Noting:
    documents = cast("Any", object())
    found = Noting("", "t", "id", ("events",), documents, TIMER, lambda: now[0])
    found.made, found.making = [], False
    return found


@pytest.mark.asyncio
async def test_every_partition_has_its_checkpoints_however_often_the_first_one_is_due() -> None:
    now = [0.0]
    upkeep = noting(now)
    for _ in range(10):
        now[0] += EVERY_S
        for partition in range(3):
            await upkeep.look_after(partition)
        for _ in range(20):
            await asyncio.sleep(0)
    assert {partition: upkeep.made.count(partition) for partition in range(3)} == dict.fromkeys(range(3), 9)


@pytest.mark.asyncio
async def test_what_goes_wrong_is_raised_where_it_is_next_looked_after() -> None:
    now = [0.0]
    upkeep = noting(now)
    upkeep.making = True
    await upkeep.look_after(0)
    now[0] += EVERY_S
    await upkeep.look_after(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(AssertionError):
        await upkeep.look_after(1)
