"""Reservations on real servers: what is spent is in a counter or reserved, never in neither and never in both."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from spendgate.engine.names import Window
from tests.counters.conftest import KINDS, Fresh, Servers
from window_counters.keys import keys_of
from window_counters.leases import Beat, Leases
from window_counters.protocol import Change, Look, Mark, PartitionId, Read
from window_counters.redis_store import RedisStore
from window_counters.reservations import Answer, Ask, Claim, Limit, Standing

TENANT, AGENT, TOPIC_ID = "acme", "one", "topic"
LONGEST_MS, STALE_MS = 3_600_000, 600_000
BIG = 2**62 - 1
DAY = Window(0, (("acme day 0 0", ("a0 ", "r0 ")),))
ROLL = Window(0, (("acme roll 0 1", ("a0 ", "r0 ", "a1 ", "r1 ")),))
LIMITS = (Limit("day", "0", 0, 100, 0), Limit("roll", "0", 0, 60, 1))


def lease(beat: Beat, **changed: Any) -> bytes:
    """A lease that is valid for longer than any test takes."""
    offset = beat.mark.offset if beat.mark is not None else -1
    fields = {
        "mark": offset, "fresh_ms": beat.now_ms, "granted_ms": beat.now_ms, "until_ms": beat.now_ms + 600_000,
        "run_id": beat.run_id,
    }  # fmt: skip
    return json.dumps({**fields, **changed}).encode()


def question(
    check: str,
    amount: int | None,
    *,
    keep_ms: int = 60_000,
    windows: Sequence[Window] = (DAY, ROLL),
    limits: Sequence[Limit] = LIMITS,
    **standings: Standing,
) -> Ask:
    """A call that both budgets look at; ``standings``: by staging."""
    said = standings or {"day": Standing.ASKED, "roll": Standing.ASKED}
    claim = Claim(TENANT, Look((), windows), list(said), limits)
    return Ask(check, claim, ["all"], list(said.values()), amount, keep_ms, STALE_MS)


@pytest_asyncio.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, servers: Servers) -> AsyncIterator[RedisStore]:
    """A store on a real server."""
    made = RedisStore(servers(request.param).url)
    yield made
    await made.close()


async def trusted(store: RedisStore, partition: PartitionId, *stagings: str) -> Beat:
    """Leases for stagings, and reservations that nobody doubts."""
    beat = await Leases(store.client).beat(partition, AGENT, 0, 0)
    leases = dict.fromkeys(stagings or ("day", "roll"), lease(beat))
    assert await Leases(store.client).grant(partition, TENANT, AGENT, beat.number, leases)
    return beat


async def spend(store: RedisStore, partition: PartitionId, cells: dict[str, dict[str, int]], *settled: str) -> None:
    """A call of the log."""
    seen = (await store.read(partition, Read())).mark
    mark = Mark(TOPIC_ID, 0 if seen is None else seen.offset + 1)
    assert await store.apply(partition, seen, Change(mark=mark, increments=cells, settled={TENANT: settled}))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sums=st.lists(
        st.integers(0, BIG // 4) | st.integers(0, 9) | st.sampled_from([999_999_999, 10**9, 10**18]), max_size=4
    ),
    reserved=st.integers(0, 9) | st.integers(0, 2**53),
    amount=st.integers(0, 2**53) | st.integers(0, 9),
    off=st.integers(-2, 2) | st.integers(-(2**60), 2**60),
)
@pytest.mark.asyncio
async def test_a_cap_is_kept_to_the_nano_dollar_at_any_size(
    store: RedisStore, fresh: Fresh, sums: list[int], reserved: int, amount: int, off: int
) -> None:
    partition = fresh()
    await trusted(store, partition, "roll")
    cap = max(0, min(BIG, sum(sums) + reserved + amount + off))
    window = Window(0, (("s", tuple(f"{kind}{at} " for at in range(len(sums)) for kind in "ar")),) if sums else ())
    empty = Window(0, (("e", ("a0 ", "r0 ")),))
    await spend(store, partition, {"s": {f"a{at} all": each for at, each in enumerate(sums)}})

    async def ask(check: str, nano_usd: int, which: Window, *limits: Limit) -> Answer:
        asked = question(check, nano_usd, windows=[which], limits=limits, roll=Standing.ASKED)
        return await store.reservations.ask(partition, asked)

    assert (await ask("first", reserved, empty)).outcome == "asked"
    assert (await ask("first", reserved, empty, Limit("roll", "0", 0, BIG, 0))).outcome == "reserved"
    asked = await ask("next", amount, window, Limit("roll", "0", 0, cap, 0))
    assert asked.reserved_nano_usd == [reserved]
    assert asked.found.sums == [sum(sums), 0]
    assert asked.outcome == ("refused" if sum(sums) + reserved + amount > cap else "reserved")


@pytest.mark.asyncio
async def test_a_check_that_asks_again_reserves_nothing_more(store: RedisStore, partition: PartitionId) -> None:
    await trusted(store, partition)
    outcomes = [(await store.reservations.ask(partition, question("same", 40))).outcome for _ in range(3)]
    assert outcomes == ["reserved", "held", "held"]
    assert await store.reservations.held(partition, TENANT) == {"day 0 all": 40, "roll 0 all": 40}


@pytest.mark.asyncio
async def test_a_staging_that_blocks_at_any_sum_does_so_under_a_valid_lease_alone(
    store: RedisStore, partition: PartitionId
) -> None:
    beat = await trusted(store, partition, "roll")
    blocked = question("c", 1, day=Standing.BLOCKS, roll=Standing.ASKED)
    assert (await store.reservations.ask(partition, blocked)).outcome == "reserved"
    assert await store.reservations.held(partition, TENANT) == {"roll 0 all": 1}
    await Leases(store.client).grant(partition, TENANT, AGENT, beat.number, {"day": lease(beat)})
    assert (await store.reservations.ask(partition, blocked._replace(check="d"))).outcome == "refused"


@pytest.mark.asyncio
async def test_what_is_left_aside_neither_blocks_nor_reserves_and_an_approved_review_reserves_over_its_cap(
    store: RedisStore, partition: PartitionId
) -> None:
    await trusted(store, partition)
    only = question("a", 70, day=Standing.ASKED, roll=Standing.ASIDE)
    answer = await store.reservations.ask(partition, only)
    assert (answer.outcome, list(answer.leases), list(answer.reserved_nano_usd)) == ("reserved", ["day"], [0, 0])
    assert await store.reservations.held(partition, TENANT) == {"day 0 all": 70}
    reviewed = (LIMITS[0], LIMITS[1]._replace(is_review=True))
    for limits, outcome in ((LIMITS, "refused"), (reviewed, "reserved")):
        approved = question("b", 30, limits=limits, day=Standing.ASKED, roll=Standing.APPROVED)
        tight = tuple(each._replace(cap_nano_usd=29) if each.staging == "roll" else each for each in limits)
        asked = approved._replace(claim=replace(approved.claim, limits=tight))
        assert (await store.reservations.ask(partition, asked)).outcome == outcome
    assert await store.reservations.held(partition, TENANT) == {"day 0 all": 100, "roll 0 all": 30}


@pytest.mark.asyncio
async def test_hundreds_at_once_never_reserve_more_than_the_cap(store: RedisStore, partition: PartitionId) -> None:
    await trusted(store, partition)
    connections = asyncio.Semaphore(90)

    async def one(number: int) -> Answer:
        async with connections:
            return await store.reservations.ask(partition, question(f"c{number}", 7))

    answers = await asyncio.gather(*map(one, range(300)))
    assert sum(each.outcome == "reserved" for each in answers) == 60 // 7
    assert await store.reservations.held(partition, TENANT) == {"day 0 all": 56, "roll 0 all": 56}


LEASES: dict[str, Callable[[Beat], bytes | None]] = {
    "valid": lease,
    "none": lambda _: None,
    "withdrawn": lambda beat: json.dumps({"withdrawn_ms": beat.now_ms, "why": "off"}).encode(),
    "ended": lambda beat: lease(beat, until_ms=beat.now_ms),
    "moved": lambda beat: lease(beat, run_id="0" * 40),
    "behind": lambda beat: lease(beat, mark=7),
    "stale": lambda beat: lease(beat, fresh_ms=beat.now_ms - STALE_MS - 1),
}


@pytest.mark.parametrize("state", LEASES)
@pytest.mark.asyncio
async def test_only_a_lease_that_is_valid_reserves_and_what_is_wrong_is_named(
    store: RedisStore, partition: PartitionId, state: str
) -> None:
    beat = await trusted(store, partition, "other")
    text = LEASES[state](beat)
    await Leases(store.client).grant(partition, TENANT, AGENT, beat.number, {"day": text} if text else {})
    answer = await store.reservations.ask(partition, question("c", 1, limits=LIMITS[:1], day=Standing.ASKED))
    assert answer.leases["day"].state == state
    assert answer.outcome == ("reserved" if state == "valid" else "asked")


@pytest.mark.asyncio
async def test_what_may_have_been_lost_is_doubted_until_the_longest_reservation_is_over(
    store: RedisStore, partition: PartitionId
) -> None:
    beat = await Leases(store.client).beat(partition, AGENT, 0, LONGEST_MS)
    assert (beat.why, beat.safe_from_ms) == ("absent", beat.now_ms + LONGEST_MS)
    await Leases(store.client).grant(partition, TENANT, AGENT, beat.number, {"day": lease(beat)})
    answer = await store.reservations.ask(partition, question("c", 1, limits=LIMITS[:1], day=Standing.ASKED))
    assert (answer.leases["day"].state, answer.outcome) == ("doubted", "asked")
    after = await Leases(store.client).beat(partition, AGENT, beat.number, LONGEST_MS)
    assert (after.why, after.safe_from_ms) == ("", beat.safe_from_ms)


@pytest.mark.asyncio
async def test_a_beat_that_was_set_back_is_a_loss_and_another_agent_goes_on_where_nothing_was(
    store: RedisStore, partition: PartitionId
) -> None:
    first = await Leases(store.client).beat(partition, AGENT, 0, 0)
    second = await Leases(store.client).beat(partition, AGENT, first.number, 0)
    other = await Leases(store.client).beat(partition, "two", 0, LONGEST_MS)
    assert (second.why, other.why, other.number) == ("", "", 3)
    assert (await Leases(store.client).beat(partition, AGENT, second.number, 0)).is_fenced
    assert not await Leases(store.client).grant(partition, TENANT, AGENT, second.number, {"day": b"{}"})
    restored = await Leases(store.client).beat(partition, "two", 2, LONGEST_MS)
    assert restored.why == "an older state"


@pytest.mark.parametrize(("shift_ms", "why"), [(-86_400_000, ""), (86_400_000, "a clock set back")])
@pytest.mark.asyncio
async def test_an_agent_that_comes_back_after_any_time_goes_on_and_a_clock_set_back_is_a_loss(
    store: RedisStore, partition: PartitionId, shift_ms: int, why: str
) -> None:
    first = await Leases(store.client).beat(partition, AGENT, 0, 0)
    text = json.loads(await store.client.execute_command("GET", keys_of(partition).beat))
    moved = json.dumps({**text, "at_ms": text["at_ms"] + shift_ms})
    await store.client.execute_command("SET", keys_of(partition).beat, moved)
    back = await Leases(store.client).beat(partition, "two", 0, LONGEST_MS)
    assert (back.why, back.number) == (why, first.number + 1)
    assert back.safe_from_ms == (back.now_ms + LONGEST_MS if why else first.safe_from_ms)


@pytest.mark.asyncio
async def test_a_redis_that_was_started_again_is_a_loss(
    servers: Servers, own_redis: Any, partition: PartitionId
) -> None:
    server = own_redis(args=("--appendonly", "yes", "--appendfsync", "always"))
    store = RedisStore(server.url)
    beat = await trusted(store, partition)
    server.kill()
    server.start()
    server.wait_ready()
    await store.close()  # its connections broke off
    answer = await store.reservations.ask(partition, question("c", 1))
    assert {each.state for each in answer.leases.values()} == {"moved"}
    again = await Leases(store.client).beat(partition, AGENT, beat.number, LONGEST_MS)
    assert again.why == "another run of Redis"
    await store.close()


@pytest.mark.asyncio
async def test_a_reservation_ends_only_once_the_mark_has_reached_the_end_of_the_log(
    store: RedisStore, partition: PartitionId
) -> None:
    await trusted(store, partition)
    answer = await store.reservations.ask(partition, question("c", 30, keep_ms=0))
    after_ms = answer.now_ms + 1
    assert await store.reservations.expire(partition, TENANT, answer.now_ms, 0) == []
    assert await store.reservations.expire(partition, TENANT, after_ms, 0) is None
    await spend(store, partition, {})
    ended = await store.reservations.expire(partition, TENANT, after_ms, 0)
    assert ended is not None
    assert [(each.check, each.amounts_nano_usd) for each in ended] == [("c", {"day 0 all": 30, "roll 0 all": 30})]
    assert await store.reservations.held(partition, TENANT) == {}


class Protocol(RuleBasedStateMachine):
    """Checks that ask, calls that settle, more or less than they reserved or without having asked, and what is given
    back, in any order, beside a model in plain Python."""

    runner: ClassVar[asyncio.Runner]
    store: ClassVar[RedisStore]
    fresh: ClassVar[Fresh]

    def __init__(self) -> None:
        super().__init__()
        self.partition = type(self).fresh()
        self.reserved: dict[str, int] = {}
        self.spent = 0
        self.run(trusted(self.store, self.partition))

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    @rule(check=st.sampled_from("abcdef"), amount=st.integers(0, 40))
    def ask(self, check: str, amount: int) -> None:
        answer: Answer = self.run(self.store.reservations.ask(self.partition, question(check, amount)))
        if check in self.reserved:
            assert answer.outcome == "held"
            assert list(answer.reserved_nano_usd) == [self.total - self.reserved[check]] * 2
            return
        fits = self.spent + self.total + amount <= min(limit.cap_nano_usd for limit in LIMITS)
        assert answer.outcome == ("reserved" if fits else "refused")
        if fits:
            self.reserved[check] = amount

    @rule(check=st.sampled_from("abcdef"), cost=st.integers(0, 50))
    def settle(self, check: str, cost: int) -> None:
        cells = {"acme day 0 0": {"a0 all": cost}, "acme roll 0 1": {"a1 all": cost}}
        self.run(spend(self.store, self.partition, cells, check))
        self.reserved.pop(check, None)
        self.spent += cost

    @precondition(lambda self: self.reserved)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        check = data.draw(st.sampled_from(sorted(self.reserved)))
        gone = self.run(self.store.reservations.release(self.partition, TENANT, [check, "unknown"]))
        assert [each.check for each in gone] == [check]
        del self.reserved[check]

    @rule()
    def expire_too_early(self) -> None:
        assert self.run(self.store.reservations.expire(self.partition, TENANT, 1, 0)) == []

    @property
    def total(self) -> int:
        return sum(self.reserved.values())

    @invariant()
    def what_is_reserved_is_what_the_model_says(self) -> None:
        held = self.run(self.store.reservations.held(self.partition, TENANT))
        assert held == ({"day 0 all": self.total, "roll 0 all": self.total} if self.total else {})


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_asks_and_settles_in_whatever_order_a_cap_is_never_promised_twice(
    kind: Any, servers: Servers, fresh: Fresh
) -> None:
    with asyncio.Runner() as runner:
        store = runner.run(_made(servers(kind).url))
        machine = type("Machine", (Protocol,), {"runner": runner, "store": store, "fresh": staticmethod(fresh)})
        run_state_machine_as_test(machine, settings=settings(max_examples=40, stateful_step_count=25, deadline=None))
        runner.run(store.close())


async def _made(url: str) -> RedisStore:
    return RedisStore(url)
