"""The judge of checks: what it says of a call is what the decision says if that call is the next record of the log."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_shadow.checks.checking import Checker
from spendgate.engine.decisions import Source
from spendgate.model.decision import Decision, Position
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import load_topics
from spendgate.simulate.replay import LogReplay
from tests.engine.evaluate import AT, feed, new_replay
from tests.engine.scenes import START, TENANT, budget, examples, log_of, policy, staged
from tests.oracle.documents import Record, to_instant, to_ms
from tests.strategies import Log, logs, policy_hash
from window_counters.documents import NotOfTheMark, whole
from window_counters.memory import MemoryStore
from window_counters.protocol import Change, Look, Mark, PartitionId, Sums

pytestmark = pytest.mark.asyncio

TOPIC = load_topics().events
HOUR_MS = 3_600_000

calls = st.fixed_dictionaries(
    {
        "team": st.sampled_from(["marketing", "growth-eu", None]), "employee": st.sampled_from(["ann", "bob", None]),
        "workflow": st.sampled_from(["nightly", "incident-7", None]), "vendor": st.sampled_from(["openai", None]),
        "model": st.sampled_from(["gpt-4o", "claude-x", None]), "input_tokens": st.sampled_from([None, 0, 1000, 10**6]),
        "output_tokens": st.sampled_from([None, 500]),
        "cost": st.sampled_from([None, 0, 1, 10**8, 5 * 10**8, 2**53 - 1]),
    }
)  # fmt: skip
steps_ms = st.sampled_from([0, 1, 1000, 60_000, HOUR_MS, 26 * HOUR_MS, 40 * 24 * HOUR_MS, -1, -HOUR_MS, -200 * HOUR_MS])


async def store_of(replay: LogReplay, tenant: str, offset: int) -> MemoryStore:
    """A store as the worker would have left it, with the mark at ``offset``."""
    store, partition = MemoryStore(), partition_id(tenant)
    await store.put(partition, replay.cells(tenant))
    document = whole(tenant, replay.document(tenant), offset)
    assert await store.apply(partition, None, Change(Mark("id", offset), tenants=document))
    return store


def partition_id(tenant: str) -> PartitionId:
    return PartitionId(TOPIC.name, partition_of(tenant.encode(), TOPIC.partitions))


def checker_of(documents: Mapping[str, Policy]) -> Checker:
    async def policies(tenant: str, hashes: Iterable[str]) -> Mapping[str, Policy]:
        return documents

    return Checker(MemoryStore(), TOPIC, policies)


def said(decision: Decision | None) -> Any:
    """What does not depend on where a call stands in the log."""
    return decision and (decision.verdict, decision.marks, decision.judged, decision.reasons)


def call_at(at_ms: int, number: int, cost: int | None = 10**8, **fields: Any) -> Event:
    return Event(
        id=f"check-{at_ms}-{number}",
        source="check",
        tenant=TENANT,
        time=to_instant(at_ms),
        cost_nano_usd=cost,
        **fields,
    )


async def agrees(checker: Checker, replay: LogReplay, documents: Mapping[str, Policy], event: Event) -> None:
    """What is said of the call now is what is decided of it as the next record, recorded when it was made."""
    decision, mark = await checker.check(event, event.time)
    assert mark is not None
    after = LogReplay(Source(TOPIC.name, "topic-id", 0), documents, AT, past=lambda tenant, offset: ())
    after.restore(TENANT, replay.state(TENANT))
    (owed,) = feed(after, [Record(Position(TOPIC.name, 0, mark.offset + 1, 0), to_ms(event.time), event)]).values()
    assert said(decision) == (said(owed) if replay.document(TENANT).stagings else None)


@given(
    log=logs(messages=12, tenants=1), asked=st.lists(st.tuples(calls, steps_ms), min_size=4, max_size=4),
    pieces=st.sampled_from([1, 2, 3]),
)  # fmt: skip
@examples(100)
async def test_what_a_check_says_the_decision_says(
    log: Log, asked: list[tuple[dict[str, Any], int]], pieces: int
) -> None:
    checker, replay = checker_of(log.documents), new_replay(log.documents)
    size = max(1, len(log.records) // pieces)
    for first in range(0, len(log.records), size):
        piece = log.records[first : first + size]
        feed(replay, piece)
        checker.store = await store_of(replay, TENANT, piece[-1].position.offset)
        for number, (fields, step_ms) in enumerate(asked):
            event = call_at(piece[-1].received_at_ms + step_ms, number, **fields)
            await agrees(checker, replay, log.documents, event)


MONTHLY = policy(budget("10", {"calendar": "month", "timezone": "UTC"}, per=["team"]))


async def judged(*records: Record) -> tuple[Checker, MemoryStore]:
    """A checker on what these records leave, which has judged a first call."""
    documents = {policy_hash(MONTHLY): MONTHLY}
    replay = new_replay(documents)
    feed(replay, records)
    checker, store = checker_of(documents), await store_of(replay, TENANT, len(records) - 1)
    checker.store = store
    await checker.check(call_at(to_ms(START), 0, team="red"), START)
    return checker, store


class Meeting(MemoryStore):
    """A store that answers once so many ask at the same time."""

    def __init__(self, held: MemoryStore, count: int) -> None:
        super().__init__()
        self._held, self._all_here = held, asyncio.Barrier(count)

    async def sums(self, partition: PartitionId, look: Look, keys: Sequence[str]) -> Sums:
        """See CounterStore.sums."""
        async with asyncio.timeout(60), self._all_here:
            return await self._held.sums(partition, look, keys)


async def test_checks_of_one_tenant_wait_for_none_of_each_other() -> None:
    spent = call_at(to_ms(START), 1, cost=9 * 10**9, team="red")
    checker, store = await judged(*log_of(staged(MONTHLY), spent))
    checker.store = Meeting(store, 3)
    asked = [call_at(to_ms(START), n, cost=2 * 10**9, team=team) for n, team in enumerate(["red", "blue", "red"])]
    found = await asyncio.gather(*(checker.check(each, START) for each in asked))
    assert [decision.verdict for decision, _ in found if decision] == ["deny", "approve", "deny"]


async def test_counters_of_a_later_record_than_the_mark_judge_nothing() -> None:
    checker, store = await judged(*log_of(staged(MONTHLY)))
    seen = Mark("id", 0)
    assert await store.apply(partition_id(TENANT), seen, Change(Mark("id", -1)))
    with pytest.raises(NotOfTheMark):
        await checker.check(call_at(to_ms(START), 1), START)


async def test_a_call_that_is_late_by_now_is_taken_for_late() -> None:
    checker, _ = await judged(*log_of(staged(MONTHLY), call_at(to_ms(START), 1)))
    weeks_later = Record(Position(TOPIC.name, 0, 2, 0), to_ms(START) + 21 * 24 * HOUR_MS, call_at(to_ms(START), 2))
    replay = new_replay(documents := {policy_hash(MONTHLY): MONTHLY})
    feed(replay, [*log_of(staged(MONTHLY), call_at(to_ms(START), 1)), weeks_later])
    checker.store = await store_of(replay, TENANT, 2)
    asked = call_at(to_ms(START), 3, team="red")
    decision, _ = await checker.check(asked, asked.time)
    assert decision is not None
    assert decision.marks == ("late",)
    await agrees(checker, replay, documents, asked)
