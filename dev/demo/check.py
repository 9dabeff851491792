"""The demo checks itself: every decision against an offline replay of the log, by the same engine."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from agents.delivery import Message
from agents.steps import of_tenant, steps
from dev.demo.stream import logged
from dev.demo.tally import Tally
from spendgate.cli.kafka_client import topic_id_of
from spendgate.engine.decisions import Source
from spendgate.model.decision import Decision
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import Topic, Topics
from spendgate.reconcile.join import timeless
from spendgate.simulate.replay import LogReplay

TIMEOUT_S = 20.0
AT = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for ``decided_at``, the one field in which a replay may differ."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of the replay's decisions: how many the stream lacks, has twice, and has with another content.

    ``extra``: what the stream has and the replay does not.
    """

    expected: int
    missing: int
    duplicated: int
    mismatched: int
    extra: int

    @property
    def clean(self) -> bool:
        """Whether the stream is the replay's, each decision once or repeated unchanged."""
        return not (self.missing or self.mismatched or self.extra)

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


def replayed(
    topic: Topic, topic_id: str, partition: int, tenant: str, messages: Iterable[Message],
    policies: Mapping[str, Policy],
) -> dict[str, Decision]:  # fmt: skip
    """The decisions that a tenant's log owes, by id."""
    replay = LogReplay(Source(topic.name, topic_id, partition), policies, AT)
    found: dict[str, Decision] = {}
    for step in steps(topic, of_tenant(messages, tenant), -1):
        if step.activation is not None:
            replay.pass_activation(step.activation, step.last, step.received_ms)
        for calls in step.calls.values():
            found |= {decision.decision_id: decision for decision in replay.pass_calls(tenant, calls)}
    return found


def owed(
    bootstrap: str,
    topics: Topics,
    tenants: list[str],
    starts: Mapping[int, int],
    policies: Mapping[str, Policy],
) -> dict[str, Decision]:
    """The decisions that the log owes these tenants from the offsets ``starts`` on, by id."""
    topic = topics.events
    topic_id = topic_id_of(bootstrap, topic.name, TIMEOUT_S, lambda _: None)
    found: dict[str, Decision] = {}
    for tenant in tenants:
        partition = partition_of(tenant.encode(), topic.partitions)
        messages = logged(bootstrap, topic.name, partition, starts[partition])
        found |= replayed(topic, topic_id, partition, tenant, messages, policies)
    return found


def compare(expected: Mapping[str, Decision], tally: Tally) -> Verdict:
    """The stream against the replay."""
    stream = tally.decisions
    mismatched = sum(
        timeless(stream[name]) != timeless(decision) for name, decision in expected.items() if name in stream
    )
    missing = len(expected.keys() - stream.keys())
    return Verdict(len(expected), missing, tally.repeated, mismatched, len(stream.keys() - expected.keys()))
