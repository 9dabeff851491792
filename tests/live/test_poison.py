"""What should never have been sent: set aside with a reason and none of its content, and its neighbours judged."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from spendgate.model.event import encode_events
from tests.live.samples import MONTHLY, call
from tests.live.world import World
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

SENTINEL = "SENTINEL-please-summarise"
NOW = datetime.now(UTC)
DEEP = {"level": {"level": {"prompt": SENTINEL}}}
WORDS = f"{SENTINEL} this contract for me"


def bad(**fields: Any) -> bytes:
    """A call of acme that differs from a good one in ``fields``."""
    event = json.loads(encode_events(call("acme", "bad", NOW)))
    return json.dumps(event | fields).encode()


ITEMS: dict[str, tuple[bytes, str, str | None]] = {
    "wrong type of a name": (bad(team=[SENTINEL]), "wrong_type", "team"),
    "wrong type of a count": (bad(input_tokens=SENTINEL), "wrong_type", "input_tokens"),
    "no object": (json.dumps(SENTINEL).encode(), "not_an_event", None),
    "an unknown field": (bad(prompt=SENTINEL), "unknown_field", "prompt"),
    "a prompt three levels deep": (bad(metadata=DEEP), "unknown_field", "metadata"),
    "a prompt in a known field": (bad(task=DEEP), "wrong_type", "task"),
    "a sentence": (bad(workflow=WORDS), "bad_characters", "workflow"),
    "a string of 1 MB": (bad(agent=SENTINEL * 42_000), "out_of_range", "agent"),
    "a negative cost": (bad(cost_nano_usd=-1), "out_of_range", "cost_nano_usd"),
    "a cost of 2^53": (bad(cost_nano_usd=2**53), "out_of_range", "cost_nano_usd"),
    "a huge cost": (bad(cost_nano_usd=10**40), "out_of_range", "cost_nano_usd"),
    "a fractional cost": (bad(cost_nano_usd=0.5), "wrong_type", "cost_nano_usd"),
    "a prompt as a field's name": (bad(**{WORDS: 1}), "unknown_field", "(not an identifier)"),
    "an event of another tenant": (bad(tenant="globex"), "tenant_is_not_key", "tenant"),
    "a local time": (bad(time="2026-01-01T00:00:00"), "wrong_type", "time"),
    "a missing id": (bad(id=None), "wrong_type", "id"),
}
NAN = bad().replace(b"1000000", b"NaN")
OTHER = encode_events(call("globex", "good", NOW))
GOOD = encode_events(call("acme", "good", NOW))

MESSAGES: dict[str, tuple[bytes | None, bytes | None, int, str]] = {
    "bad JSON": (b"acme", b'{"id": "' + SENTINEL.encode(), 0, "bad_json"),
    "no UTF-8": (b"acme", b'{"id": "\xff' + SENTINEL.encode() + b'"}', 0, "bad_json"),
    "NaN": (b"acme", NAN, 0, "bad_json"),
    "an empty array": (b"acme", b"[]", 0, "empty_batch"),
    "501 events": (b"acme", b"[" + b",".join([GOOD] * 501) + b"]", 0, "too_many_events"),
    "no value": (b"acme", None, 0, "no_value"),
    "no key": (None, GOOD, 0, "no_key"),
    "a key that is a prompt": (WORDS.encode(), GOOD, 0, "bad_characters"),
    "another partitioner": (b"acme", GOOD, 1, "wrong_partition"),
    "a bad activation": (
        b"acme",
        json.dumps({"kind": "activation", "id": "a", "tenant": "acme", "action": SENTINEL}).encode(),
        0,
        "bad_activation",
    ),
}
"""Key, value, how far from its own partition, and the reason."""


@pytest.fixture
def judged(world: World) -> World:
    """A world with a worker and one staging."""
    world.stage("acme", MONTHLY, "monthly-1")
    world.worker()
    return world


def test_each_bad_event_is_set_aside_by_name_and_its_neighbours_are_judged(judged: World) -> None:
    wanted: dict[str, tuple[str, str | None]] = {}
    for number, (raw, reason, field) in enumerate(ITEMS.values()):
        first, last = (encode_events(call("acme", f"{number}-{side}", NOW)) for side in ("first", "last"))
        judged.send_raw(b"acme", b"[" + b",".join((first, raw, last)) + b"]")
        wanted[str(judged.broker.ends[judged.partition("acme")] - 1)] = reason, field
    judged.settle()
    owed = judged.verify()
    found = {str(r.position.offset): (r.reason, r.field) for r in owed.rejections.values()}
    assert dict(zip(ITEMS, found.values(), strict=True)) == dict(zip(ITEMS, wanted.values(), strict=True))
    assert len(owed.decisions) == 2 * len(ITEMS)
    assert not traces(judged)


def test_each_bad_message_is_set_aside_and_the_next_one_is_judged(judged: World) -> None:
    for number, (key, value, shift, _) in enumerate(MESSAGES.values()):
        partition = (judged.partition((key or b"acme").decode()) + shift) % 8
        judged.send_raw(key, value, partition)
        judged.send([call("acme", number, NOW)])
    judged.settle()
    owed = judged.verify()
    assert sorted(r.reason for r in owed.rejections.values()) == sorted(reason for *_, reason in MESSAGES.values())
    assert len(owed.decisions) == len(MESSAGES)
    assert not traces(judged)


def test_an_array_of_two_tenants_gives_each_what_is_its_own(judged: World) -> None:
    judged.send_raw(b"acme", b"[" + GOOD + b"," + OTHER + b"]")
    judged.settle()
    owed = judged.verify()
    assert [r.reason for r in owed.rejections.values()] == ["tenant_is_not_key"]
    assert [(d.tenant, d.event_id) for d in owed.decisions.values()] == [("acme", "call-good")]


def traces(world: World) -> list[str]:
    """Where content has been left behind."""
    topics = [world.topics.decisions, world.topics.rejected, world.topics.policies]
    places = {
        topic.name: b"".join((m.key or b"") + (m.value or b"") for m in world.broker.read(topic)) for topic in topics
    }
    places |= {worker.output.name: worker.output.read_bytes() for worker in world.workers}
    prefix = keys_of(PartitionId(world.topics.events.name, world.partition("acme"))).mark[: -len(b"mark")]
    with Redis.from_url(world.redis_url) as redis:
        places |= {key.decode(): key + redis.dump(key) for key in redis.scan_iter(match=prefix + b"*")}
    return [place for place, content in places.items() if b"SENTINEL" in content]
