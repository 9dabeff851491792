"""Comparing what the workers left behind, decision by decision and counter by counter, with what was owed."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import cast

import msgspec
from redis import Redis

from agents.delivery import Message
from agents.partition import PartitionJudge
from dev.trial.owed import DECIDED_AT, Owed, place_of
from spendgate.model.decision import Decision
from spendgate.model.rejection import Rejection
from spendgate.simulate.replay import LogReplay
from window_counters.documents import NotOfTheMark, document_names
from window_counters.keys import keys_of
from window_counters.protocol import Mark, PartitionId, Read, Snapshot
from window_counters.redis_store import RedisStore

_decisions = msgspec.json.Decoder(list[Decision]).decode
_rejection = msgspec.json.Decoder(Rejection).decode


def decision_faults(owed: Owed, found: Sequence[Message]) -> Iterator[str]:
    """Every decision must be there, in its tenant's partition, each copy as it was owed, and none besides."""
    missing = set(owed.decisions)
    for message in found:
        for decision in _decisions(message.value or b""):
            missing.discard(decision.decision_id)
            wanted = owed.decisions.get(decision.decision_id)
            if wanted is None:
                yield f"not owed: {decision}"
            elif msgspec.structs.replace(decision, decided_at=DECIDED_AT) != wanted:
                yield f"differs: {decision} from {wanted}"
            if (message.partition, message.key) != (decision.position.partition, decision.tenant.encode()):
                yield f"in another place than its event: {decision}"
    yield from (f"missing: {owed.decisions[name]}" for name in sorted(missing))


def rejection_faults(owed: Owed, found: Sequence[Message]) -> Iterator[str]:
    """Every rejection must be there, each copy as it was owed, and none besides."""
    rejections = [_rejection(message.value or b"") for message in found]
    yield from (f"not owed: {r}" for r in rejections if owed.rejections.get(place_of(r)) != r)
    there = set(map(place_of, rejections))
    yield from (f"missing: {r}" for place, r in owed.rejections.items() if place not in there)


def counter_faults(owed: Owed, topic: str, topic_id: str, redis_url: str) -> list[str]:
    """Marks, tenants' documents and every cell that a verdict can still read must be as in the replay."""

    async def compare() -> list[str]:
        store = RedisStore(redis_url)
        try:
            return [
                fault
                for partition, replay in owed.replays.items()
                for fault in await _compare(store, PartitionId(topic, partition), topic_id, owed, replay)
            ]
        finally:
            await store.close()

    faults = asyncio.run(compare())
    with Redis.from_url(redis_url) as client:
        for partition, replay in owed.replays.items():
            faults += _leftovers(client, PartitionId(topic, partition), replay)
    return faults


def counter_differences(owed: Owed, topic: str, redis_url: str) -> int:
    """By how much all cells together are off from the replay, in nano-USD: of those that a verdict can still read."""

    async def compare() -> int:
        store = RedisStore(redis_url)
        try:
            error = 0
            for partition, replay in owed.replays.items():
                for tenant in replay.tenants():
                    cells = replay.cells(tenant)
                    found = await store.dump(PartitionId(topic, partition), list(cells))
                    error += sum(_apart(sums, found[slot]) for slot, sums in cells.items())
            return error
        finally:
            await store.close()

    return asyncio.run(compare())


def _apart(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    return sum(abs(one.get(name, 0) - other.get(name, 0)) for name in one.keys() | other.keys())


async def _compare(store: RedisStore, id_: PartitionId, topic_id: str, owed: Owed, replay: LogReplay) -> list[str]:
    snapshot = await store.read(id_, Read(tenants=document_names(replay.tenants())))
    faults = []
    if snapshot.mark != Mark(topic_id, owed.last[id_.partition]):
        faults.append(f"partition {id_.partition}: the mark is {snapshot.mark}")
    judge = PartitionJudge(id_, topic_id, snapshot.mark)
    for tenant in replay.tenants():
        faults += _document_faults(judge, snapshot, tenant, replay)
        cells = replay.cells(tenant)
        faults += _cell_faults(cells, await store.dump(id_, list(cells)))
    return faults


def _document_faults(judge: PartitionJudge, snapshot: Snapshot, tenant: str, replay: LogReplay) -> list[str]:
    try:
        found = judge.document(snapshot, tenant)
    except NotOfTheMark as error:
        return [f"document of {tenant}: {error}"]
    return [] if found == replay.document(tenant) else [f"document of {tenant}: {found}"]


def _cell_faults(owed: Mapping[str, Mapping[str, int]], found: Mapping[str, Mapping[str, int]]) -> Iterable[str]:
    for slot, cells in owed.items():
        wanted, there = _non_zero(cells), _non_zero(found[slot])
        if wanted != there:
            yield f"counter {slot}: {there}, not {wanted}"


def _non_zero(cells: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in cells.items() if value}


def _leftovers(client: "Redis", id_: PartitionId, replay: LogReplay) -> list[str]:
    """Slots that nothing will ever delete, and slots in force that the replay does not have."""
    keys = keys_of(id_)
    remembered: dict[bytes, float] = {}
    faults = []
    for tenant in replay.tenants():
        expiries = dict(cast("list[tuple[bytes, float]]", client.zrange(keys.expiries(tenant), 0, -1, withscores=True)))
        remembered |= expiries
        late_ms, owed = replay.document(tenant).late_ms, replay.cells(tenant)
        faults += [f"not owed: {slot!r}" for slot, at in expiries.items() if at > late_ms and slot.decode() not in owed]
    prefix = keys.slot("")
    there = {key.removeprefix(prefix) for key in client.scan_iter(match=prefix + b"*", count=10_000)}
    return faults + [f"forgotten: {slot!r}" for slot in there - remembered.keys()]
