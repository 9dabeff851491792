"""One test's world: topics of its own, workers on them, and the law that holds at its end."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex

import pytest
from redis import Redis
from redis.exceptions import RedisError

from spendgate.ledger.packing import pack
from spendgate.model.activation import Activation, SettingsChange, encode_activation
from spendgate.model.announcement import Announcement, Document, record_of
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import load_topics
from tests.live.broker import Broker
from tests.live.owed import Owed
from tests.live.recount import total_in_log, total_recorded
from tests.live.verifying import counter_faults, decision_faults, rejection_faults
from tests.live.waiting import DEADLINE_S, until
from tests.live.workers import Worker
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId

CREATE_TIME = {"message.timestamp.type": "CreateTime"}
"""Lets the producer of a test choose a record's time, which no sender of ours may."""


class World:
    """Topics under a prefix of their own, on a broker and a Redis that others may use too."""

    def __init__(
        self, bootstrap: str, redis_url: str, folder: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.prefix = f"live-{token_hex(4)}."
        self.topics = load_topics(prefix=self.prefix, replication=1)
        self.redis_url = redis_url
        self.folder = folder
        self.workers: list[Worker] = []
        self.policies: dict[str, Policy] = {}
        self.broker = Broker(bootstrap, self.topics)
        self.broker.create([self.topics.decisions, self.topics.policies, self.topics.rejected])
        self.broker.create([self.topics.events], settings)

    # Workers

    def worker(self, instance: str | None = "one", **environment: str) -> Worker:
        """Start a worker. One that takes the ``instance`` of a dead one takes its place at once."""
        named = {} if instance is None else {"SPENDGATE_INSTANCE": f"{self.prefix}{instance}"}
        output = self.folder / f"worker-{len(self.workers)}.log"
        self.workers.append(Worker.start(output, {**self._environment(), **named, **environment}))
        return self.workers[-1]

    def _environment(self) -> dict[str, str]:
        return {
            "SPENDGATE_KAFKA": self.broker.bootstrap,
            "SPENDGATE_REDIS": self.redis_url,
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

    def publish(self, policy: Policy) -> str:
        """Put a policy's document where workers find it; returns its hash."""
        name = policy_hash(policy)
        if name not in self.policies:
            self.policies[name] = policy
            record = record_of(Document(name, canonical_bytes(policy)))
            self.broker.send(self.topics.policies, record.key, record.value, partition=0)
            self.broker.flush()
        return name

    def stage(
        self,
        tenant: str,
        policy: Policy,
        staging: str,
        *,
        ends: Iterable[str] = (),
        at_ms: int | None = None,
    ) -> None:
        """Begin a staging of ``policy``, which ends those of ``ends``."""
        name, called = self.publish(policy), policy.metadata.name
        record = record_of(
            Announcement(tenant=tenant, staging=staging, policy=called, hash=name, state="staged")
        )
        self.broker.send(self.topics.policies, record.key, record.value, partition=0)
        self.activate(
            Activation(
                kind="activation",
                id=f"begin-{staging}",
                tenant=tenant,
                time=datetime.now(UTC),
                action="stage",
                staging=staging,
                policy=called,
                hash=name,
                ends=list(ends),
            ),
            at_ms,
        )

    def end(self, tenant: str, staging: str, at_ms: int | None = None) -> None:
        """End a staging."""
        now = datetime.now(UTC)
        self.activate(
            Activation(
                kind="activation", id=f"end-{staging}", tenant=tenant, time=now, action="end", staging=staging
            ),
            at_ms,
        )

    def settings(self, tenant: str, change: SettingsChange) -> None:
        """Change a tenant's settings."""
        name, now = f"settings-{token_hex(4)}", datetime.now(UTC)
        self.activate(
            Activation(
                kind="activation", id=name, tenant=tenant, time=now, action="settings", settings=change
            )
        )

    def activate(self, activation: Activation, at_ms: int | None = None) -> None:
        """Append an activation."""
        self.send_raw(activation.tenant.encode(), encode_activation(activation), at_ms=at_ms)

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
        """Whether Redis holds all that was sent."""
        return self.marks() == self.broker.ends

    def settle(self, deadline_s: float = DEADLINE_S) -> None:
        """Wait until all that was sent is applied, and acknowledged to the group."""
        until(lambda: self.applied() or not self._anybody(), "every record applied", deadline_s)
        until(lambda: self._committed() or not self._anybody(), "every offset committed", deadline_s)
        if not (self.applied() and self._committed()):
            pytest.fail(f"no worker lives: {self.workers[-1].log()[-2000:]}")

    def _committed(self) -> bool:
        return self.broker.committed(self.prefix) == self.broker.ends

    def _anybody(self) -> bool:
        return any(worker.alive() for worker in self.workers)

    def verify(self) -> Owed:
        """Compare every decision, every rejection and every counter with an offline replay; returns it."""
        log, topic_id = self.broker.read(self.topics.events), self.broker.topic_id()
        owed = Owed(self.topics.events, topic_id, self.policies, log)
        faults = [
            *decision_faults(owed, self.broker.read(self.topics.decisions)),
            *rejection_faults(owed, self.broker.read(self.topics.rejected)),
            *counter_faults(owed, self.topics.events.name, topic_id, self.redis_url),
        ]
        if faults:
            pytest.fail(f"{len(faults)} faults, such as:\n" + "\n".join(fault[:1500] for fault in faults[:5]))
        return owed

    def recount(self, tenant: str, staging: str, rule: int = 0) -> None:
        """A budget over everything must have recorded what all calls of the log cost, each once."""
        id_ = PartitionId(self.topics.events.name, self.partition(tenant))
        wanted = total_in_log(self.broker.read(self.topics.events), tenant)
        assert total_recorded(self.redis_url, id_, tenant, staging, rule) == wanted > 0

    def partition(self, tenant: str) -> int:
        """Where a tenant lives."""
        return partition_of(tenant.encode(), self.topics.events.partitions)

    def close(self) -> None:
        """End the workers and let go of the connections."""
        for worker in self.workers:
            if worker.alive():
                worker.kill()
        self.broker.close()
