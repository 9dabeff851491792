"""One trial's world: topics of its own, workers on them, and the law that holds at its end."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from agents.delivery import Message
from dev.trial.broker import Broker
from dev.trial.owed import Owed
from dev.trial.verifying import counter_faults, decision_faults, rejection_faults
from dev.trial.waiting import Late, until
from dev.trial.workers import Worker
from spendgate.ledger.packing import pack
from spendgate.model.activation import Action, Activation, encode_activation
from spendgate.model.announcement import Announcement, Document, record_of
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import load_topics
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

CREATE_TIME = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
"""Lets the producer of a trial choose a record's time, which on our topics no sender may."""


def activation(tenant: str, action: Action, **fields: Any) -> Activation:
    """An activation under an id of its own."""
    name = f"activation-{token_hex(6)}"
    return Activation(kind="activation", id=name, tenant=tenant, time=datetime.now(UTC), action=action, **fields)


class World:
    """Topics under a prefix of their own, on a broker and a Redis that others may use too."""

    def __init__(self, bootstrap: str, redis_url: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.prefix = f"live-{token_hex(4)}."
        self.topics = load_topics(prefix=self.prefix, replication=1)
        self.redis_url = redis_url
        self.folder = folder
        self.workers: list[Worker] = []
        self.recorders: list[Worker] = []
        self.ledger = folder / f"{self.prefix}ledger"
        self.policies: dict[str, Policy] = {}
        self.broker = Broker(bootstrap, self.topics)
        self.broker.create([self.topics.decisions, self.topics.policies, self.topics.rejected, self.topics.checks])
        self.broker.create([self.topics.events], settings)

    # Workers

    def worker(self, instance: str | None = "one", **environment: str) -> Worker:
        """Start a worker. One that takes the ``instance`` of a dead one takes its place at once."""
        named = {} if instance is None else {"SPENDGATE_INSTANCE": f"{self.prefix}{instance}"}
        output = self.folder / f"worker-{len(self.workers)}.log"
        self.workers.append(Worker.start(output, {**self.environment(), **named, **environment}))
        return self.workers[-1]

    def recorder(self, role: str, instance: str = "one", **environment: str) -> Worker:
        """Start a ledger agent, which commits every half second and makes no checkpoints unless it is told to."""
        output = self.folder / f"{role}-{len(self.recorders)}.log"
        named = {"SPENDGATE_INSTANCE": f"{self.prefix}{instance}", "SPENDGATE_GROUP": f"{self.prefix}{role}"}
        paced = {"SPENDGATE_LEDGER_COMMIT_S": "0.5", "SPENDGATE_LEDGER_CHECKPOINT_S": "0"}
        self.recorders.append(Worker.start(output, {**self.environment(), **paced, **named, **environment}, role))
        return self.recorders[-1]

    def environment(self) -> dict[str, str]:
        """Where a process of this world finds what."""
        return {
            "SPENDGATE_KAFKA": self.broker.bootstrap,
            "SPENDGATE_DEV": "1",
            "SPENDGATE_REDIS": self.redis_url,
            "SPENDGATE_LEDGER": str(self.ledger),
            "SPENDGATE_GROUP": self.prefix,
            "SPENDGATE_TOPIC_PREFIX": self.prefix,
            "SPENDGATE_REPLICATION": "1",
            "SPENDGATE_FAULT": "",
            "SPENDGATE_FAULT_PUBLISH": "",
        }

    # The log

    def send(
        self, events: Iterable[Event], *, per_message: int = 50, at_ms: int | None = None, wait: bool = True
    ) -> None:
        """Append events in their order, packed; ``at_ms`` is the record time on a topic that leaves it to us."""
        for message in pack(events, per_message):
            self.broker.send(self.topics.events, message.key, message.value, at_ms=at_ms)
        if wait:
            self.broker.flush()

    def send_raw(
        self, key: bytes | None, value: bytes | None, partition: int | None = None, at_ms: int | None = None
    ) -> None:
        """Append whatever it is."""
        self.broker.send(self.topics.events, key, value, partition=partition, at_ms=at_ms)
        self.broker.flush()

    def publish(self, policy: Policy) -> None:
        """Put a policy's document where workers find it."""
        record = record_of(Document(policy_hash(policy), canonical_bytes(policy)))
        self.broker.send(self.topics.policies, record.key, record.value, partition=0)
        self.broker.flush()

    def stage(
        self,
        tenant: str,
        policy: Policy,
        staging: str,
        *,
        ends: Iterable[str] = (),
        at_ms: int | None = None,
        withheld: bool = False,
    ) -> None:
        """Begin a staging of ``policy``, which ends those of ``ends``; ``withheld`` leaves its document out."""
        name, called = policy_hash(policy), policy.metadata.name
        if not withheld and name not in self.policies:
            self.publish(policy)
        self.policies[name] = policy
        announced = Announcement(tenant=tenant, staging=staging, policy=called, hash=name, state="staged")
        record = record_of(announced)
        self.broker.send(self.topics.policies, record.key, record.value, partition=0)
        begun = activation(tenant, "stage", staging=staging, policy=called, hash=name, ends=list(ends))
        self.activate(begun, at_ms)

    def end(self, tenant: str, staging: str) -> None:
        """End a staging."""
        self.activate(activation(tenant, "end", staging=staging))

    def activate(self, begun: Activation, at_ms: int | None = None) -> None:
        """Append an activation."""
        self.send_raw(begun.tenant.encode(), encode_activation(begun), at_ms=at_ms)

    # The end

    def marks(self) -> dict[int, int]:
        """By partition, the offset after the last one that Redis holds; empty while it does not answer."""
        topic = self.topics.events.name
        try:
            with Redis.from_url(self.redis_url, socket_timeout=2) as client:
                found = {p: client.get(keys_of(PartitionId(topic, p)).mark) for p in self.broker.ends}
        except RedisError:
            return {}
        return {p: int(mark.rpartition(b":")[2]) + 1 for p, mark in found.items() if mark is not None}

    def applied(self) -> bool:
        """Whether Redis holds all that was sent, and perhaps more: a door sends, too."""
        return _reach(self.marks(), self.broker.ends)

    def settle(self) -> None:
        """Wait until all that was sent is applied, and acknowledged to the group."""
        self.broker.flush()
        until(lambda: self.applied() or not self._anybody(), "every record applied")
        until(lambda: self._committed() or not self._anybody(), "every offset committed", state=self._state)
        if not (self.applied() and self._committed()):
            raise Late(f"no worker lives: {self.workers[-1].log()[-2000:]}")

    def _state(self) -> str:
        found = self.broker.committed(self.prefix)
        return f"committed {found} of {self.broker.ends}\n" + "\n".join(w.log()[-3000:] for w in self.workers)

    def _committed(self) -> bool:
        return _reach(self.broker.committed(self.prefix), self.broker.ends)

    def _anybody(self) -> bool:
        return any(worker.alive() for worker in self.workers)

    def log(self, gone: Sequence[Message] = ()) -> list[Message]:
        """All records of the event topic. ``gone``: those that it had once."""
        there = {(message.partition, message.offset): message for message in gone}
        there |= {(message.partition, message.offset): message for message in self.broker.read(self.topics.events)}
        return [there[place] for place in sorted(there)]

    def owed(self, log: Sequence[Message]) -> Owed:
        """What a log owes by an offline replay."""
        return Owed(self.topics.events, self.broker.topic_id(), self.policies, log)

    def faults(self, owed: Owed) -> list[str]:
        """Every decision, rejection and counter that is not as it is owed."""
        return [
            *decision_faults(owed, self.broker.read(self.topics.decisions)),
            *rejection_faults(owed, self.broker.read(self.topics.rejected)),
            *counter_faults(owed, self.topics.events.name, self.broker.topic_id(), self.redis_url),
        ]

    def partition(self, tenant: str) -> int:
        """Where a tenant lives."""
        return partition_of(tenant.encode(), self.topics.events.partitions)

    def close(self) -> None:
        """End the workers and let go of the connections."""
        for worker in (*self.workers, *self.recorders):
            if worker.alive():
                worker.kill()
        self.broker.close()


def _reach(offsets: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    """Whether every partition has come at least so far."""
    return all(offsets.get(partition, 0) >= end for partition, end in ends.items())
