"""Topics of one contestant's own, and for the shadow agent the stagings on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.broker import Broker, Load
from bench.policies import staged_policies
from bench.workload import Workload
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.announcement import Document, record_of
from spendgate.model.canonical import canonical_bytes, policy_hash
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import Topics, load_topics


@dataclass(frozen=True, slots=True)
class Ground:
    """A set of topics under a prefix of its own; ``workloads`` by the partition that they go to.

    Events of stock agents go round all partitions under one workload, those of a tenant where its key belongs.
    """

    broker: Broker
    prefix: str
    topics: Topics
    workloads: Mapping[int, Workload]
    spreads: bool

    @property
    def group(self) -> str:
        """The consumer group of whoever works here."""
        return f"{self.prefix}group"

    def loads(self, events: int, packed: int) -> list[Load]:
        """``events`` new events in all, ready to be appended."""
        if self.spreads:
            count = self.topics.events.partitions
            values = self.workloads[0].messages(events, packed)
            return [Load(p, self.workloads[0].tenant.encode(), values[p::count]) for p in range(count)]
        share = events // len(self.workloads)
        return [
            Load(partition, workload.tenant.encode(), workload.messages(share, packed))
            for partition, workload in self.workloads.items()
        ]


def stock_ground(broker: Broker, prefix: str, *, spreads: bool) -> Ground:
    """Topics for a stock agent. Its events go round all partitions, where it is at its fastest by far; or, as those of
    a tenant do, into one, where it sleeps for a second whenever its queue is full."""
    topics = _made(broker, prefix)
    tenant = _tenant_in(0, topics.events.partitions)
    return Ground(broker, prefix, topics, {0: Workload(tenant)}, spreads=spreads)


def shadow_ground(broker: Broker, prefix: str, policies: int, tenants: int) -> Ground:
    """Topics for the shadow agent, with ``policies`` staged for each of ``tenants``, which live far apart."""
    topics = _made(broker, prefix)
    count = topics.events.partitions
    places = [number * count // tenants + number for number in range(tenants)]
    workloads = {place: Workload(_tenant_in(place, count)) for place in places}
    documents = staged_policies(policies)
    hashes = {policy.metadata.name: policy_hash(policy) for policy in documents}
    _publish(broker, topics, documents, hashes)
    for partition, workload in workloads.items():
        values = [_stage(workload.tenant, name, found) for name, found in hashes.items()]
        broker.append(topics.events.name, [Load(partition, workload.tenant.encode(), values)])
    return Ground(broker, prefix, topics, workloads, spreads=False)


def _made(broker: Broker, prefix: str) -> Topics:
    topics = load_topics(prefix=prefix, replication=1)
    broker.make([topics.events, topics.decisions, topics.policies, topics.rejected])
    return topics


def _publish(broker: Broker, topics: Topics, policies: Sequence[Policy], hashes: Mapping[str, str]) -> None:
    records = [record_of(Document(hashes[p.metadata.name], canonical_bytes(p))) for p in policies]
    broker.append(topics.policies.name, [Load(0, record.key, [record.value]) for record in records])


def _stage(tenant: str, policy: str, found: str) -> bytes:
    return encode_activation(
        Activation(
            kind="activation",
            id=f"stage-{policy}",
            tenant=tenant,
            time=datetime.now(UTC),
            action="stage",
            staging=f"staging-{policy}",
            policy=policy,
            hash=found,
        )
    )


def _tenant_in(partition: int, partitions: int) -> str:
    """The first tenant name whose key belongs into that partition."""
    number = 0
    while partition_of(f"tenant-{number}".encode(), partitions) != partition:
        number += 1
    return f"tenant-{number}"
