"""The enforcement agent's rounds beside a Redis that is slow, or whose clock is set back; and what it tells behind
them. The whole agent runs in ``tests/enforcing``."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from agents.enforcement import EnforcementAgent
from agents.log_ends import End
from agents.telling import Teller
from spendgate.model.enforcement_record import Enforcement
from spendgate.model.topics import load_topics
from window_counters.leases import Beat
from window_counters.protocol import Mark

TOPICS = load_topics()


@dataclass
class Slow:
    """A Redis that answers a beat some time after its own clock was read; and the monotonic clock beside it."""

    redis_ms: int = 1_780_000_000_000
    monotonic_s: float = 1000.0
    there_s: float = 0.0
    back_s: float = 0.0
    number: int = 0

    def clock(self) -> float:
        return self.monotonic_s

    def passes(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.redis_ms += round(seconds * 1000)

    async def beat(self, *_: object) -> Beat:
        self.passes(self.there_s)
        now_ms, self.number = self.redis_ms, self.number + 1
        self.passes(self.back_s)
        return Beat(now_ms, self.number, 0, "run", Mark("topic", 9), "")


@dataclass
class NothingOn:
    """A flag that is read, and off."""

    is_known: bool = True
    read_s: float = 0.0

    def longest_ms(self, _: object) -> int:
        return 0

    def enforced(self) -> Iterator[Any]:
        return iter(())


def agent_of(redis: Slow, end: End) -> EnforcementAgent:
    ends: Any = SimpleNamespace(ends={0: end})
    others: Any = SimpleNamespace(tell=lambda _: None)
    parts = cast("Any", redis), cast("Any", NothingOn())
    return EnforcementAgent(TOPICS.events, others, *parts, ends, others, redis.clock)


def beat(agent: EnforcementAgent) -> int:
    """When the counters were level with the log, as a round finds it."""

    async def run() -> None:
        await agent.assigned(frozenset({0}))
        if agent._beating is not None:
            agent._beating.cancel()
        await agent._beat(agent.partitions[0])

    asyncio.run(run())
    return agent.partitions[0].fresh_ms


@given(before_s=st.floats(0, 5), there_s=st.floats(0, 3), back_s=st.floats(0, 3))
def test_counters_are_never_taken_for_fresher_than_the_logs_end_was_asked(
    before_s: float, there_s: float, back_s: float
) -> None:
    redis = Slow(there_s=there_s, back_s=back_s)
    asked_ms, end = redis.redis_ms, End(10, redis.monotonic_s)
    redis.passes(before_s)
    found = beat(agent_of(redis, end))
    slack_ms = 2  # of rounding
    assert asked_ms - back_s * 1000 - slack_ms <= found <= asked_ms + slack_ms


def test_what_was_fresh_by_a_clock_that_was_set_back_is_fresh_no_more() -> None:
    redis = Slow()
    agent = agent_of(redis, End(10, redis.monotonic_s))
    first = beat(agent)
    redis.redis_ms -= 3_600_000
    agent.ends.ends[0] = End(10, redis.monotonic_s)
    assert beat(agent) == first - 3_600_000
    redis.redis_ms -= 3_600_000
    agent.ends.ends[0] = End(11, redis.monotonic_s)  # and the counters are behind it
    assert beat(agent) == 0


class Gate:
    """A publisher whose first message waits until it is let through."""

    def __init__(self) -> None:
        self.begun, self.open, self.last = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.sent: list[str] = []

    async def publish(self, _: str, messages: list[tuple[bytes, bytes]], __: int) -> None:
        self.begun.set()
        await self.open.wait()
        self.sent += [key.decode() for key, _ in messages]
        if self.sent[-1] == "d":
            self.last.set()


def record(tenant: str) -> Enforcement:
    return Enforcement(kind="granted", tenant=tenant, time=datetime(2026, 1, 1, tzinfo=UTC), staging="s", policy="p")


def test_of_records_that_make_room_for_later_ones_none_goes_unsent_that_still_waits() -> None:
    async def run() -> list[str]:
        gate = Gate()
        teller = Teller(cast("Any", gate), TOPICS.enforcements, deque(maxlen=3))
        keeping = asyncio.create_task(teller.keep())
        teller.tell([record(each) for each in ("a", "b", "c")])
        await gate.begun.wait()
        teller.tell([record("d")])  # ``a``, which is being sent, makes room
        gate.open.set()
        async with asyncio.timeout(30):
            await gate.last.wait()
        keeping.cancel()
        return gate.sent

    assert asyncio.run(run()) == ["a", "b", "c", "d"]
