"""Live decisions: every one of one's own tenant, once and in order; slowness is told; the stream ends with its key."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from gateway_shadow.live import MOST_WAITING, Gap, Watcher
from policy_store import api_keys
from spendgate.model.decision import Decision, encode_decisions
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


def publish(door: Door, tenant: str, decisions: list[Decision]) -> None:
    for each in (decisions[:7], decisions[7:]):
        producer = door.broker.producer
        producer.send(door.topics.decisions.name, encode_decisions(each), key=tenant.encode(), partition=0)
    door.broker.producer.flush()


def test_every_decision_of_the_tenant_comes_once_in_order_and_no_other(shared_door: Door) -> None:
    with watching(shared_door) as (events, _):
        publish(shared_door, "somebody-else", DECISIONS[:3])
        publish(shared_door, TENANT, DECISIONS[:20])
        found = [next(events) for _ in range(20)]
    assert {name for name, _ in found} == {"decision"}
    assert msgspec.convert([data for _, data in found], list[Decision]) == DECISIONS[:20]


def test_only_what_is_wanted_comes(shared_door: Door) -> None:
    denied = [each for each in DECISIONS if each.verdict == "deny"]
    with watching(shared_door, verdict="deny", policy="capped") as (events, _):
        publish(shared_door, TENANT, DECISIONS)
        found = [next(events)[1]["event_id"] for _ in denied]
    assert found == [each.event_id for each in denied]


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
    async def run() -> list[Decision | Gap]:
        watcher = Watcher(TENANT)
        for _ in range(MOST_WAITING + 5):
            watcher.tell(DECISIONS[0])
        found = [await watcher.next() for _ in range(MOST_WAITING + 1)]
        watcher.tell(DECISIONS[1])
        return [*found[MOST_WAITING - 1 :], await watcher.next()]

    assert asyncio.run(run()) == [DECISIONS[0], Gap(5), DECISIONS[1]]
