"""What a worker says of itself, and when it gives itself up. Time is injected."""

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import CommitFailedError, KafkaConnectionError
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from agents.delivery import make_app
from agents.exits import Exit, Fatal, one_line
from agents.faults import Countdown
from agents.faust_private import Consumer, ConsumerThread, chunks
from agents.health import HOPELESS_S, LONG_RETRY_S, STALLED_S, Health
from agents.lanes import Lanes
from agents.logs import BURST, WINDOW_S, RateLimit
from agents.overseer import PROBE_EVERY_S, Overseer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    made = Health(clock)
    made.assigned(frozenset({0, 1}))
    return made


def test_a_standstill_with_lag_fails_liveness_and_one_without_does_not(clock: Clock, health: Health) -> None:
    clock.now += STALLED_S + 1
    health.lag = 0
    assert health.faults() == []
    health.lag = 5
    assert health.faults() == ["no progress for 46 s, lag 5"]
    health.progress()
    assert health.faults() == []


def test_a_worker_that_has_no_assignment_is_not_ready(clock: Clock) -> None:
    assert Health(clock).obstacles() == ["not assigned by the group yet"]


def test_an_unreachable_dependency_makes_it_unready_until_it_is_seen_again(health: Health) -> None:
    health.saw("broker", reachable=False)
    assert health.obstacles() == ["broker unreachable"]
    health.saw("broker", reachable=True)
    assert health.obstacles() == []


def test_what_a_lost_partition_waited_for_is_forgotten(health: Health) -> None:
    health.retrying(1, "store")
    health.assigned(frozenset({0}))
    assert health.obstacles() == []


def test_a_long_retry_makes_it_unready_but_stays_alive(clock: Clock, health: Health) -> None:
    health.lag = 5
    while health.retrying(1, "store") <= LONG_RETRY_S:
        assert health.obstacles() == ["store unreachable"]
        clock.now += 2
    assert health.obstacles() == ["store unreachable", "partition 1 in a long retry"]
    assert health.faults() == []
    health.recovered(1)
    assert health.obstacles() == []


class Probe:
    """A broker that answers with the given ends, or with an error."""

    def __init__(self) -> None:
        self.ends: dict[int, int] | Exception = {0: 10}

    async def bounds(self, partitions: frozenset[int]) -> dict[int, tuple[int, int]]:
        if isinstance(self.ends, Exception):
            raise self.ends
        return {partition: (0, end) for partition, end in self.ends.items()}


class Watched:
    """An overseer with a fake clock, broker and consumer."""

    def __init__(self, health: Health, clock: Clock) -> None:
        self.clock, self.probe, self.exit = clock, Probe(), Exit(lambda _: None)
        self.overseer = Overseer(
            Lanes("a", cast("Any", None), health, self.exit), "t", None, max_messages=1, max_bytes=1
        )
        self.overseer._probe = cast("Any", self.probe)
        self.position: int | None = None
        self.consumer = cast("Consumer", SimpleNamespace(done=lambda _: 5, nothing_left=self.nothing_left))

    async def nothing_left(self, _: TP) -> int | None:
        return self.position

    async def watch(self, seconds: float) -> None:
        """``seconds`` pass, in steps of a probe."""
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += PROBE_EVERY_S
            self.overseer._probe_at = 0.0
            await self.overseer.watch(self.consumer)


@pytest.fixture
def watched(health: Health, clock: Clock) -> Watched:
    return Watched(health, clock)


@pytest.mark.asyncio
async def test_a_hopeless_standstill_ends_the_worker(watched: Watched) -> None:
    await watched.watch(HOPELESS_S)
    assert watched.exit.reason is None
    await watched.watch(PROBE_EVERY_S)
    assert str(watched.exit.reason) == "no progress for 80 s, lag 5"


@pytest.mark.asyncio
async def test_an_absent_broker_is_waited_for(watched: Watched) -> None:
    watched.probe.ends = KafkaConnectionError()
    await watched.watch(10 * HOPELESS_S)
    watched.probe.ends = {0: 10}
    await watched.watch(HOPELESS_S)
    assert watched.exit.reason is None


@pytest.mark.asyncio
async def test_a_log_that_ends_in_what_is_never_delivered_is_no_lag(watched: Watched) -> None:
    watched.position = 10
    await watched.watch(10 * HOPELESS_S)
    assert watched.exit.reason is None


def consumer() -> Consumer:
    async def nothing(*_: object) -> None: ...

    handler = cast("Any", SimpleNamespace(handle=nothing, idle=nothing, assigned=nothing, revoked=nothing))
    app = make_app("a", bootstrap="127.0.0.1:1", topic="t", handler=handler)
    return cast("Consumer", app.consumer)


@pytest.mark.asyncio
async def test_only_what_was_acknowledged_in_this_epoch_is_committed() -> None:
    made, tp = consumer(), TP("t", 0)
    made.epoch = 3
    assert made.acknowledge(tp, 7, 3)
    assert not made.acknowledge(tp, 9, 2)
    assert made._filter_committable_offsets(made._filter_tps_with_pending_acks()) == {tp: 7}
    made._committed_offset[tp] = 7
    assert made._filter_committable_offsets(made._filter_tps_with_pending_acks()) == {}


@pytest.mark.asyncio
async def test_what_was_fetched_in_an_earlier_epoch_is_fetched_again() -> None:
    made = consumer()
    record = cast("Any", SimpleNamespace(offset=0, key=None, value=b"x", timestamp=0, timestamp_type=1))
    await made._deliver_all(TP("t", 0), [record], made.epoch - 1)
    assert made._rewind


@pytest.mark.asyncio
async def test_a_refused_commit_is_no_crash() -> None:
    made, tp = consumer(), TP("t", 0)
    thread = cast("ConsumerThread", made._thread)

    async def refuse(_: object) -> None:
        raise CommitFailedError

    thread._consumer = SimpleNamespace(assignment=lambda: {tp}, commit=refuse)
    assert await thread._commit({tp: 7}) is False
    assert not thread.crashed


records = st.lists(st.integers(0, 50).map(lambda n: SimpleNamespace(key=b"k", value=b"v" * n)))


@given(records, st.integers(1, 5), st.integers(1, 100))
def test_chunks_keep_order_and_bounds(given_records: list[Any], messages: int, size: int) -> None:
    parts = list(chunks(given_records, messages, size))
    assert [record for part in parts for record in part] == given_records
    for part in parts:
        assert 1 <= len(part) <= messages
        assert len(part) == 1 or sum(len(record.value) + 1 for record in part) <= size


def test_the_first_reason_of_an_end_stands(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[int] = []
    ending = Exit(ended.append)
    ending.crash(Fatal("no\ntopic", 3))
    ending.crash(ValueError("later"))
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL] == [
        "worker ends with exit code 3: no topic"
    ]
    assert ending.code == 3


def test_a_reason_is_one_line_that_names_what_it_is() -> None:
    assert one_line(ValueError("a\n  b")) == "ValueError: a b"
    assert one_line(ValueError()) == "ValueError"
    assert one_line(CommitFailedError()).startswith("CommitFailedError: ")


def test_repeated_lines_are_kept_back_and_counted(clock: Clock) -> None:
    limit = RateLimit(clock)

    def passes() -> str | None:
        record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "lost %s", ("node",), None)
        return record.getMessage() if limit.filter(record) else None

    assert [passes() for _ in range(1000)] == ["lost node"] * BURST + [None] * (1000 - BURST)
    clock.now += WINDOW_S
    assert passes() == f"lost node ({1000 - BURST} more like it kept back)"


def test_faults_strike_once() -> None:

    strikes: Callable[[], bool] = Countdown(3).strikes
    assert [strikes() for _ in range(5)] == [False, False, True, False, False]
    assert not any(Countdown(0).strikes() for _ in range(5))
