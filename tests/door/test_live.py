"""Live decisions: every one of one's own tenant, once and in order; slowness is told; the stream ends with its key."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_shadow.live import consumer
from gateway_shadow.live.back import MOST_AGE, MOST_MESSAGES, Past
from gateway_shadow.live.consumer import Live, count_of
from gateway_shadow.live.ids import Place, Told, place_of
from gateway_shadow.live.watcher import MOST_WAITING, Gap, Watcher
from policy_store import api_keys
from spendgate.model.decision import Decision, encode_decisions
from spendgate.model.partition import partition_of
from tests.door.conftest import TENANT, Door
from tests.live.waiting import until
from tests.reconcile.test_reconcile import busy

DECISIONS = busy()[1]


@contextmanager
def watching(door: Door, **params: str) -> Iterator[tuple[Iterator[tuple[str, Any]], str]]:
    """Events as they come, from `begun` on; and the key."""
    key = door.key("viewer")
    with (
        httpx.Client(base_url=door.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client,
        client.stream("GET", "/v1/decisions/live", params=params) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        events = parsed(answer)
        assert next(events) == ("begun", {})
        yield events, key


def parsed(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def publish(door: Door, tenant: str, *messages: list[Decision], beside: str | None = None) -> None:
    """To the tenant's partition, or to that of the one that it is ``beside``."""
    topic = door.topics.decisions
    partition = partition_of((beside or tenant).encode(), topic.partitions)
    for each in messages:
        door.broker.producer.send(topic.name, encode_decisions(each), key=tenant.encode(), partition=partition)
    door.broker.producer.flush()


def test_every_decision_of_the_tenant_comes_once_in_order_and_no_other(shared_door: Door) -> None:
    with watching(shared_door) as (events, _):
        publish(shared_door, "somebody-else", DECISIONS[:3], beside=TENANT)
        publish(shared_door, TENANT, DECISIONS[:7], DECISIONS[7:20])
        found = [next(events) for _ in range(20)]
    assert {name for name, _ in found} == {"decision"}
    assert msgspec.convert([data for _, data in found], list[Decision]) == DECISIONS[:20]


def test_only_what_is_wanted_comes(shared_door: Door) -> None:
    denied = [each for each in DECISIONS if each.verdict == "deny"]
    with watching(shared_door, verdict="deny", policy="capped") as (events, _):
        publish(shared_door, TENANT, DECISIONS)
        found = [next(events)[1]["event_id"] for _ in denied]
    assert found == [each.event_id for each in denied]


def test_reading_goes_on_after_what_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []

    async def read_on(live: Live) -> None:
        times.append(1)
        if len(times) < 3:
            raise LookupError("the-patient-said")
        live._begun.set()
        await asyncio.Event().wait()

    async def run() -> None:
        live = Live("nowhere:1", "decisions", {})
        async with live.watch(TENANT), asyncio.timeout(30):
            await live.has_begun()

    monkeypatch.setattr(consumer, "AGAIN_S", 0)
    monkeypatch.setattr(Live, "_read_on", read_on)
    asyncio.run(run())


def test_a_stream_ends_when_its_key_is_revoked(shared_door: Door) -> None:
    with watching(shared_door) as (events, key):
        parts = api_keys.parse(key)
        assert parts is not None
        with shared_door.changes().of(TENANT, "root") as change:
            api_keys.revoke(change, parts.id, "leaked")
        assert list(events) == []


def test_a_door_with_an_open_stream_stops(shared_door: Door) -> None:
    with watching(shared_door) as (events, _):
        assert shared_door.stop() == 0
        assert list(events) == []
    shared_door.start()
    until(shared_door.answers, "the door again")


def test_who_reads_too_slowly_is_told_how_many_were_left_out() -> None:
    told = [Told(each, Place(0, n)) for n, each in enumerate(DECISIONS[:2])]

    async def run() -> list[Told | Gap]:
        watcher = Watcher(TENANT)
        for _ in range(MOST_WAITING + 5):
            watcher.tell(told[0])
        found = [await watcher.next() for _ in range(MOST_WAITING + 1)]
        watcher.tell(told[1])
        return [*found[MOST_WAITING - 1 :], await watcher.next()]

    assert asyncio.run(run()) == [told[0], Gap(5), told[1]]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.integers(1, 12), st.booleans())
def test_who_wants_so_many_a_second_gets_no_more_and_is_told_of_all_others(
    seconds: list[int], at_most: int, is_packed: bool
) -> None:
    now = [0.0]

    async def run() -> tuple[int, int]:
        watcher, told, missed = Watcher(TENANT, at_most=at_most, clock=lambda: now[0]), 0, 0
        for second, count in enumerate(seconds, 1):
            now[0] = float(second)
            is_left_out = is_packed and watcher.pass_over(count, Place(0, second))
            for at in range(0 if is_left_out else count):
                watcher.tell(Told(DECISIONS[0], Place(0, second, at)))
            of_second = 0
            while not watcher.is_empty:
                found = await watcher.next()
                of_second += not isinstance(found, Gap)
                missed += found.missed if isinstance(found, Gap) else 0
            assert of_second == min(count, at_most)
            told += of_second
        now[0] += 1
        rest = watcher.rest()
        return told, missed + (0 if rest is None else rest.missed)

    told, missed = asyncio.run(run())
    assert (told, told + missed) == (sum(min(each, at_most) for each in seconds), sum(seconds))


@given(st.lists(st.sampled_from(DECISIONS), max_size=20))
def test_a_message_tells_undecoded_how_many_decisions_it_holds(decisions: list[Decision]) -> None:
    assert count_of(encode_decisions(decisions)) == len(decisions)


class Browser:
    """What a browser's EventSource does: it remembers the last id, also of an event without data, and sends it when it
    connects again."""

    def __init__(self, door: Door, key: str, last: str | None = None, **params: str) -> None:
        self.client = httpx.Client(base_url=door.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self.params, self.last = params, last
        self.seen: list[tuple[str, Any]] = []

    def connect(self, enough: Callable[[], bool]) -> None:
        """Take events until it is enough, at least the first; then the line is cut."""
        headers = {} if self.last is None else {"Last-Event-ID": self.last}
        with self.client.stream("GET", "/v1/decisions/live", params=self.params, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            block: dict[str, str] = {}
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                block[name] = value
                if line:
                    continue
                self.last = block.get("id", self.last)
                if "data" in block:
                    self.seen.append((block["event"], json.loads(block["data"])))
                block = {}
                if self.seen and enough():
                    return

    @property
    def ids(self) -> list[str]:
        """The calls of which decisions came."""
        return [data["event_id"] for name, data in self.seen if name == "decision"]


@settings(max_examples=4, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 7), min_size=1, max_size=8), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    verdict=st.sampled_from([None, "deny"]),
)  # fmt: skip
def test_who_is_cut_anywhere_and_connects_again_gets_every_decision_once_and_in_order(
    shared_door: Door, cuts: list[int], sizes: list[int], verdict: str | None
) -> None:
    params = {} if verdict is None else {"verdict": verdict}
    browser = Browser(shared_door, shared_door.key("viewer"), **params)
    browser.connect(lambda: True)
    owed, left, turn = [], list(DECISIONS), 0
    while left:
        size = sizes[turn % len(sizes)]
        message, left = left[:size], left[size:]
        publish(shared_door, "somebody-else", DECISIONS[:1], beside=TENANT)
        publish(shared_door, TENANT, message)
        owed += [each.event_id for each in message if verdict in (None, each.verdict)]
        wanted = min(len(browser.ids) + cuts[turn % len(cuts)], len(owed))
        browser.connect(lambda wanted=wanted: len(browser.ids) >= wanted)  # type: ignore[misc]
        turn += 1
    last = msgspec.structs.replace(DECISIONS[0], event_id="last", verdict="deny")
    publish(shared_door, TENANT, [last])
    browser.connect(lambda: browser.ids[-1:] == ["last"])
    assert browser.ids == [*owed, "last"]
    assert not [data for name, data in browser.seen if name == "gap"]


def test_a_stream_that_waits_for_what_seldom_comes_still_says_how_far_it_is(shared_door: Door) -> None:
    browser = Browser(shared_door, shared_door.key("viewer"), policy="nobody")
    browser.connect(lambda: True)
    begun = place_of(browser.last or "")
    publish(shared_door, TENANT, DECISIONS[:5])
    browser.connect(lambda: place_of(browser.last or "") != begun)
    reached = place_of(browser.last or "")
    assert begun is not None
    assert reached == Place(begun.partition, begun.offset + 1)


@pytest.mark.parametrize(
    "last", ["nonsense", "740d81f736d9513b-26b2-0", "0.999999999.0", "1." + "9" * 30 + ".1"], ids=range(4)
)
def test_an_id_that_means_nothing_here_ends_no_stream_and_is_told(shared_door: Door, last: str) -> None:
    browser = Browser(shared_door, shared_door.key("viewer"), last)
    browser.connect(lambda: len(browser.seen) == 2)
    assert browser.seen[1] == ("gap", {"missed": None, "messages": None, "reason": "unknown_id"})


def test_what_is_too_far_back_is_a_gap_that_says_how_many_messages_it_has(shared_door: Door) -> None:
    browser = Browser(shared_door, shared_door.key("viewer"))
    browser.connect(lambda: True)
    publish(shared_door, "somebody-else", *([DECISIONS[:1]] * (MOST_MESSAGES + 7)), beside=TENANT)
    publish(shared_door, TENANT, DECISIONS[:2])
    browser.connect(lambda: len(browser.ids) == 2)
    assert browser.seen[2] == ("gap", {"missed": None, "messages": 8, "reason": "too_far_back"})
    assert browser.ids == ["e0", "e1"]


def test_a_stream_goes_on_from_ten_minutes_ago_at_the_earliest(shared_door: Door) -> None:
    topic = shared_door.topics.decisions
    publish(shared_door, TENANT, DECISIONS[:1], DECISIONS[:1])
    partition = partition_of(TENANT.encode(), topic.partitions)

    async def run() -> list[int]:
        past = Past(shared_door.broker.bootstrap, topic.name)
        now = datetime.now(UTC)
        later = now + MOST_AGE + timedelta(minutes=1)
        return [(await past.oldest(Place(partition, 2), at)).offset for at in (now, later)]

    assert asyncio.run(run()) == [0, 2]
