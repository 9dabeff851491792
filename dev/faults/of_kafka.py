"""Kafka is away, moves partitions, has records twice or in another order, or has forgotten them."""

import random
from collections import defaultdict
from dataclasses import replace

from dev.faults.arena import Arena
from dev.faults.fault import Fault, lasting
from dev.faults.load import Batch
from dev.trial.starting import begin_again
from dev.trial.waiting import until
from spendgate.model.event import Event

AWAY_S = 10.0


def _stop(arena: Arena) -> None:
    arena.system.flush()
    arena.servers.kafka.kill()


def _start(arena: Arena) -> None:
    begin_again(arena.servers.kafka)


def _rebalance(arena: Arena) -> None:
    """Workers come, and go: one is killed, one is asked to leave, one is killed again."""
    arena.system.start()
    arena.send(0.2)
    arena.settle()
    for number in range(3):
        other = arena.system.start(f"other-{number}")
        arena.send(0.1)
        until(other.owned, "partitions of another worker", state=other.log)
        arena.send(0.1, wait=True)
        arena.system.dismiss(f"other-{number}")
        if number % 2:
            other.terminate()
        else:
            other.kill()
    arena.recover()
    arena.send()
    arena.settle()


def _duplicate(arena: Arena) -> None:
    """A third of the messages come twice, some at once and some much later; the worker is killed in between."""
    chance = random.Random(1)
    worker = arena.system.start()
    arena.send(0.3)
    _again(arena, chance)
    worker.kill()
    arena.send(0.3)
    _again(arena, chance)
    arena.recover()
    arena.send()
    arena.settle()


def _again(arena: Arena, chance: random.Random) -> None:
    """Send a third of what was sent so far once more."""
    sent = arena.batches[: arena.sent]
    for batch in chance.sample(sent, max(1, len(sent) // 3)):
        arena.system.send(replace(batch, repeats=True), wait=False)


def _reorder(arena: Arena) -> None:
    """No call is where it belongs: those of a tenant come in any order."""
    chance, calls = random.Random(1), defaultdict[str, list[Event]](list)
    for batch in arena.batches:
        for event in batch.events:
            calls[event.tenant].append(event)
    for each in calls.values():
        chance.shuffle(each)
    arena.batches = [_drawn(batch, calls) for batch in arena.batches]
    arena.system.start()
    arena.send(0.5)
    arena.recover()
    arena.send()
    arena.settle()


def _drawn(batch: Batch, calls: dict[str, list[Event]]) -> Batch:
    mine = calls[batch.events[0].tenant]
    return replace(batch, events=[mine.pop() for _ in batch.events])


def _truncate(arena: Arena) -> None:
    """What was counted passes its retention, and Redis is empty: only the ledger still knows."""
    worker = arena.system.start()
    arena.send(0.5)
    arena.settle()
    arena.system.wait_for_history()
    arena.system.dismiss("one")
    worker.terminate()
    with arena.client() as redis:
        redis.flushall()
    arena.system.forget()
    arena.send(0.2, wait=True)
    arena.system.start()
    arena.recover()
    arena.send()
    arena.settle()


OUTAGES = (
    Fault("kafka_stop", "Kafka killed, and started again", lasting(_stop, _start, AWAY_S)),
    Fault("kafka_rebalance", "workers join and go: partitions move six times", _rebalance),
    Fault("kafka_duplicate", "a third of all messages come twice, a worker is killed", _duplicate),
    Fault("kafka_reorder", "calls in any order", _reorder),
    Fault("kafka_truncated", "the topic forgets what was counted, and Redis is empty", _truncate),
)
