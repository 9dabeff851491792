"""What the log owes: an offline replay of every record of the event topic, by the engine, in memory."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from agents.delivery import Message
from agents.steps import steps
from spendgate.engine.decisions import Source
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from spendgate.model.rejection import Rejection
from spendgate.model.topics import Topic
from spendgate.simulate.replay import LogReplay

DECIDED_AT = datetime(2000, 1, 1, tzinfo=UTC)
Place = tuple[int, int, int]
"""Partition, offset, index in the message."""


class Owed:
    """``decisions`` by id (``decided_at`` is DECIDED_AT), ``rejections`` by place, ``last`` offsets and ``replays``
    by partition."""

    def __init__(self, topic: Topic, topic_id: str, policies: Mapping[str, Policy], log: Sequence[Message]) -> None:
        self.decisions: dict[str, Decision] = {}
        self.rejections: dict[Place, Rejection] = {}
        self.replays: dict[int, LogReplay] = {}
        self.last: dict[int, int] = {}
        for partition, messages in groupby(log, lambda message: message.partition):
            source = Source(topic.name, topic_id, partition)
            self.replays[partition] = LogReplay(source, policies, DECIDED_AT)
            self._replay(topic, partition, list(messages))

    def _replay(self, topic: Topic, partition: int, messages: Sequence[Message]) -> None:
        replay = self.replays[partition]
        self.last[partition] = messages[-1].offset
        for step in steps(topic, messages, after=-1):
            self.rejections |= {place_of(rejected): rejected for rejected in step.rejections}
            if step.activation is not None:
                replay.pass_activation(step.activation, step.last, step.received_ms)
            for tenant, calls in step.calls.items():
                decided = replay.pass_calls(tenant, calls)
                self.decisions |= {decision.decision_id: decision for decision in decided}

    @property
    def duplicates(self) -> int:
        """How many calls were dropped as repeats."""
        return sum(replay.duplicates for replay in self.replays.values())

    def verdicts(self) -> set[str]:
        """The verdicts that occur."""
        return {decision.verdict for decision in self.decisions.values()}


def place_of(record: Decision | Rejection) -> Place:
    """Where the event of a record stands."""
    return record.position.partition, record.position.offset, record.position.index
