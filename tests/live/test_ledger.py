"""The ledger holds every record of its topics once, whatever is killed; and it outlasts the topics' own retention."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from redis import Redis

from agents.delivery import Message
from agents.steps import steps
from dev.trial.owed import Owed
from dev.trial.workers import KILLED, Worker
from spendgate.ledger.activation_rows import activations_of
from spendgate.ledger.decision_rows import decisions_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.event_rows import events_of, places_of
from spendgate.ledger.ledger_errors import LedgerMissing
from spendgate.ledger.rejection_rows import rejections_of
from spendgate.model.check import Check, encode_check
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.rejection import Rejection
from spendgate.model.topics import Topic
from spendgate.reconcile.estimates import recorded_checks
from tests.live.conftest import MakeWorld
from tests.live.samples import EDITED, POLICIES, calls
from tests.live.waiting import until
from tests.live.world import World, activation
from tests.stack import OwnRedis

TENANTS = ("acme", "globex")
EVENTS, DECISIONS = "ledger-events", "ledger-decisions"
REFUSED = 4
SPENDGATE = Path(sys.executable).with_name("spendgate")
_decisions = msgspec.json.Decoder(list[Decision]).decode
_rejection = msgspec.json.Decoder(Rejection).decode


def stage_all(world: World) -> None:
    for tenant in TENANTS:
        for policy in POLICIES:
            world.stage(tenant, policy, f"{policy.metadata.name}-1")


def flow(world: World, seed: int, count: int = 120) -> None:
    """Calls, repeats and outcomes of both tenants, and a correction of a call of each."""
    for tenant in TENANTS:
        events = calls(count, seed, tenant)
        first = next(event for event in events if event.kind == "call")
        corrected = Event(
            id=f"fix-{seed}", source=first.source, tenant=tenant, time=first.time, kind="correction",
            refers_to=first.id, cost_nano_usd=7_000_000,
        )  # fmt: skip
        world.send([*events, *events[:20], corrected], per_message=20, wait=False)
    world.broker.flush()


def covered(world: World, topic: Topic, table: str) -> dict[int, int]:
    """By partition with records, the offset after the last one that the ledger covers."""
    try:
        ledger = Ledger.open(world.ledger)
    except LedgerMissing:
        return {}
    topic_id = world.broker.topic_id(topic)
    found = {p: ledger.covered(table, topic_id, p) + 1 for p in range(topic.partitions)}  # type: ignore[arg-type]
    return {partition: end for partition, end in found.items() if end}


def recorded(world: World) -> bool:
    """Whether the ledger covers every record of the event topic."""
    return covered(world, world.topics.events, "events") == world.broker.ends


def settle_ledger(world: World) -> None:
    """Wait until the ledger holds all of both topics."""
    decided = Counter(message.partition for message in world.broker.read(world.topics.decisions))
    until(lambda: recorded(world) or not alive(world), "every event recorded")
    topic = world.topics.decisions
    until(lambda: covered(world, topic, "decisions") == decided or not alive(world), "every decision recorded")
    assert recorded(world), "\n".join(each.log()[-2000:] for each in world.recorders)
    assert covered(world, topic, "decisions") == decided


def alive(world: World) -> bool:
    return any(worker.alive() for worker in world.recorders)


Place = tuple[int, int, int]


def faults_of_ledger(world: World) -> Iterator[str]:
    """How the ledger differs from what stood on the topics."""
    log, ledger = world.broker.read(world.topics.events), Ledger.open(world.ledger)
    owed = Owed(world.topics.events, world.broker.topic_id(), world.policies, log)
    wanted, begun = logged(world, log)
    found: dict[Place, Event] = {}
    duplicates = 0
    for tenant in TENANTS:
        for batch in ledger.event_batches(tenant):
            for place, event in zip(places_of(batch), events_of(batch), strict=True):
                at = (place.partition or 0, place.offset or 0, place.index or 0)
                if at in found:
                    yield f"twice: {at}"
                found[at] = event
                duplicates += place.duplicate
        rows = [each for batch in ledger.activation_batches(tenant) for each in activations_of(batch)]
        if [row.encoded for row in rows] != begun[tenant]:
            yield f"activations of {tenant}: {len(rows)}, not {len(begun[tenant])}"
    if found != wanted:
        yield f"events: {len(found)} of {len(wanted)}"
    if duplicates != owed.duplicates:
        yield f"duplicates: {duplicates}, not {owed.duplicates}"


def logged(world: World, log: list[Message]) -> tuple[dict[Place, Event], dict[str, list[bytes | None]]]:
    """The events of a log by place, and the activations of each tenant."""
    events: dict[Place, Event] = {}
    begun: dict[str, list[bytes | None]] = {tenant: [] for tenant in TENANTS}
    for message in log:
        for step in steps(world.topics.events, [message], -1):
            if step.activation is not None:
                begun[step.activation.tenant].append(message.value)
            for each in step.calls.values():
                places = zip([message.partition] * len(each.events), each.offsets, each.indexes, strict=True)
                events |= dict(zip(places, each.events, strict=True))
    return events, begun


def faults_of_decisions(world: World) -> Iterator[str]:
    """Every published copy of a decision must be a row, as it was published."""
    published = [d for m in world.broker.read(world.topics.decisions) for d in _decisions(m.value or b"")]
    ledger = Ledger.open(world.ledger)
    rows = [d for tenant in TENANTS for batch in ledger.decision_batches(tenant) for d in decisions_of(batch)]
    if Counter(map(msgspec.json.encode, rows)) != Counter(map(msgspec.json.encode, published)):
        yield f"decisions: {len(rows)} rows of {len(published)} published"


def verify_ledger(world: World) -> None:
    """The ledger is what stood on the topics, and `spendgate ledger verify` says so of itself."""
    assert [*faults_of_ledger(world), *faults_of_decisions(world)] == []
    command = [
        str(SPENDGATE),
        "ledger",
        "verify",
        "--ledger",
        str(world.ledger),
        "--bootstrap",
        world.broker.bootstrap,
        "--json",
    ]
    prefixed = {**os.environ, "SPENDGATE_TOPIC_PREFIX": world.prefix}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=prefixed)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert json.loads(done.stdout)["complete"] is True


def test_every_record_of_both_topics_becomes_one_row(world: World) -> None:
    stage_all(world)
    world.worker()
    world.recorder(EVENTS)
    world.recorder(DECISIONS)
    for seed in (1, 2):
        flow(world, seed)
    world.send_raw(b"acme", b"this is no event")
    world.stage("acme", EDITED, "monthly-2", ends=["monthly-1"])
    flow(world, 3)
    world.settle()
    settle_ledger(world)
    verify_ledger(world)
    for recorder in world.recorders:
        recorder.terminate()
        assert recorder.process.returncode == 0, recorder.log()[-2000:]


@pytest.mark.parametrize("point", ["booked", "recorded-activations", "recorded-events"])
def test_a_recorder_of_events_killed_between_two_steps_loses_and_doubles_nothing(world: World, point: str) -> None:
    stage_all(world)
    world.recorder(DECISIONS)
    killed = world.recorder(EVENTS, SPENDGATE_FAULT=point)
    flow(world, 1)
    until(lambda: covered(world, world.topics.events, "events") != {} or not killed.alive(), "the first commit")
    flow(world, 2)
    assert killed.ended() == KILLED
    flow(world, 3)
    world.recorder(EVENTS)
    settle_ledger(world)
    verify_ledger(world)


def test_a_recorder_of_decisions_killed_after_a_commit_loses_and_doubles_nothing(world: World) -> None:
    stage_all(world)
    world.worker()
    world.recorder(EVENTS)
    killed = world.recorder(DECISIONS, SPENDGATE_FAULT="recorded-decisions")
    flow(world, 1)
    assert killed.ended() == KILLED
    flow(world, 2)
    world.recorder(DECISIONS)
    world.settle()
    settle_ledger(world)
    verify_ledger(world)


def rows_of(world: World, tenants: Sequence[str]) -> tuple[list[Check], list[Rejection]]:
    """What the ledger holds of checks and rejections, in the order of places on the log or of ids."""
    try:
        ledger = Ledger.open(world.ledger)
    except LedgerMissing:
        return [], []
    checks = [check for tenant in tenants for check in recorded_checks(ledger, tenant)]
    batches = (batch for tenant in tenants for batch in ledger.rejection_batches(tenant))
    rejections = [each for batch in batches for each in rejections_of(batch)]
    return sorted(checks, key=lambda each: each.check_id), sorted(
        rejections, key=lambda each: (each.position.partition, each.position.offset)
    )


def test_checks_and_rejections_become_rows_once_whatever_is_killed(world: World) -> None:
    stage_all(world)
    world.worker()
    killed = world.recorder("ledger-checks", SPENDGATE_FAULT="recorded-checks")
    world.recorder("ledger-rejections")
    checks = [
        Check(check_id=f"chk-{n:03}", tenant=TENANTS[n % 2], time=datetime.now(UTC), asked_by="a", estimate_nano_usd=n)
        for n in range(40)
    ]
    for n, check in enumerate(checks):
        world.broker.send(world.topics.checks, check.tenant.encode(), encode_check(check))
        if n == 20:
            world.broker.flush()
            assert killed.ended() == KILLED
            world.recorder("ledger-checks")
    world.broker.send(world.topics.checks, b"acme", b"this is no check")
    for _ in range(3):
        world.send_raw(b"acme", b"this is no event")
    world.send_raw(b"this is (no) name", b"{}")
    world.settle()
    everybody = (*TENANTS, "(none)")
    # A batch that is judged again is published again.
    published = [_rejection(message.value or b"") for message in world.broker.read(world.topics.rejected)]
    assert len({(each.position.partition, each.position.offset) for each in published}) == 4
    wanted = [40, len(published)]
    until(lambda: [len(each) for each in rows_of(world, everybody)] == wanted, "every check and rejection recorded")
    found, rejections = rows_of(world, everybody)
    assert found == checks
    assert rejections == sorted(published, key=lambda each: (each.position.partition, each.position.offset))
    assert all(each.alive() for each in world.recorders if each is not killed)


def test_a_recorder_that_wakes_up_after_its_partitions_were_given_away_doubles_nothing(world: World) -> None:
    stage_all(world)
    world.recorder(DECISIONS)
    zombie = world.recorder(EVENTS, "zombie", SPENDGATE_LEDGER_COMMIT_S="3600")
    flow(world, 1)
    until(lambda: world.broker.committed(f"{world.prefix}{EVENTS}") == world.broker.ends, "everything taken")
    zombie.freeze()
    world.recorder(EVENTS, "heir")
    settle_ledger(world)
    zombie.thaw()
    flow(world, 2)
    settle_ledger(world)
    verify_ledger(world)


def test_a_recorder_that_is_told_to_stop_records_what_it_has_taken(world: World) -> None:
    stage_all(world)
    recorder = world.recorder(EVENTS, SPENDGATE_LEDGER_COMMIT_S="3600")
    flow(world, 1)
    until(lambda: world.broker.committed(f"{world.prefix}{EVENTS}") == world.broker.ends, "everything taken")
    assert not recorded(world)
    recorder.terminate()
    assert recorded(world)


def retire_the_topic(world: World, worker: Worker) -> list[Message]:
    """End the worker, lose Redis, and let everything on the event topic pass its retention."""
    worker.terminate()
    with Redis.from_url(world.redis_url) as redis:
        redis.flushall()
    return world.broker.forget(world.topics.events)


def checkpoints(world: World) -> dict[int, int]:
    """By partition with records, the offset after the last one that a checkpoint holds."""
    try:
        ledger, topic_id = Ledger.open(world.ledger), world.broker.topic_id()
    except LedgerMissing:
        return {}
    rows = {p: ledger.checkpoint(topic_id, p) for p in world.broker.ends}
    return {partition: found[0].offset + 1 for partition, found in rows.items() if found}


@pytest.mark.parametrize("point", ["", "restoring"])
@pytest.mark.parametrize("checkpointed", [True, False])
def test_counters_are_rebuilt_after_the_topic_has_forgotten_their_records(
    make_world: MakeWorld, own_redis: OwnRedis, checkpointed: bool, point: str
) -> None:
    if point and not checkpointed:
        pytest.skip("nothing is restored without a checkpoint")
    world = make_world(redis_url=own_redis().url)
    stage_all(world)
    worker = world.worker()
    world.recorder(EVENTS, SPENDGATE_LEDGER_CHECKPOINT_S="0.2" if checkpointed else "0")
    flow(world, 1)
    world.settle()
    until(lambda: recorded(world), "every event recorded")
    if checkpointed:
        until(lambda: checkpoints(world) == world.broker.ends, "a checkpoint of everything")
    gone = retire_the_topic(world, worker)
    if point:
        flow(world, 2)
        assert world.worker(SPENDGATE_FAULT=point).ended() == KILLED
    world.worker()
    flow(world, 3)
    world.settle()
    assert world.verify(gone).verdicts() == {"approve", "warn", "review", "deny"}
    restored = any("begin at the ledger's checkpoint" in each.log() for each in world.workers)
    assert restored is checkpointed


def test_a_staging_is_seeded_from_records_that_the_topic_has_forgotten(world: World) -> None:
    stage_all(world)
    worker = world.worker()
    world.recorder(EVENTS)
    flow(world, 1)
    world.settle()
    until(lambda: recorded(world), "every event recorded")
    gone = world.broker.forget(world.topics.events)
    flow(world, 2)
    world.stage("acme", EDITED, "monthly-2", ends=["monthly-1"])
    flow(world, 3)
    world.settle()
    assert worker.alive()
    assert world.verify(gone).verdicts() == {"approve", "warn", "review", "deny"}


def test_a_checkpoint_past_what_was_judged_is_not_used(make_world: MakeWorld, own_redis: OwnRedis) -> None:
    world = make_world(redis_url=own_redis().url)
    stage_all(world)
    worker = world.worker()
    flow(world, 1)
    world.settle()
    worker.terminate()
    with Redis.from_url(world.redis_url) as redis:
        redis.flushall()
    flow(world, 2)
    world.recorder(EVENTS, SPENDGATE_LEDGER_CHECKPOINT_S="0.2")
    until(lambda: checkpoints(world) == world.broker.ends, "a checkpoint of everything")
    world.worker()
    world.settle()
    world.verify()


def test_records_that_neither_has_are_never_counted_as_nothing(world: World) -> None:
    stage_all(world)
    flow(world, 1)
    world.broker.forget(world.topics.events)
    world.activate(activation("acme", "settings", settings={"reasons": "all"}))
    world.recorder(EVENTS)
    flow(world, 2)
    until(lambda: recorded(world), "every event recorded")
    worker = world.worker()
    assert worker.ended() == REFUSED
    assert "the ledger begins at offset" in worker.log()


def test_the_timer_joins_the_small_files_and_every_row_stays(world: World) -> None:
    stage_all(world)
    world.recorder(DECISIONS)
    world.recorder(EVENTS, SPENDGATE_LEDGER_COMPACT_S="0.3", SPENDGATE_LEDGER_COMMIT_S="0.1")
    for seed in range(4):
        flow(world, seed)
        until(lambda: recorded(world), "every event recorded")

    def joined() -> bool:
        ledger = Ledger.open(world.ledger)
        places = Counter((tuple(file.partition.values()), file.source) for file in ledger.files("events"))
        return set(places.values()) == {1}

    until(joined, "one file for each tenant, day and partition")
    verify_ledger(world)
