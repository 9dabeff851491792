"""The engine as an evaluator of logs, for the laws."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from spendgate.engine.calls import Calls
from spendgate.engine.decisions import Source
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from spendgate.simulate.replay import LogReplay
from tests.oracle.documents import Record

AT = datetime(2026, 1, 1, tzinfo=UTC)
Place = tuple[int, int]


def place_of(record: Record) -> Place:
    """Where a record stands."""
    return record.position.offset, record.position.index


def evaluate(
    policies: Mapping[str, Policy], batches: Sequence[Sequence[Record]]
) -> tuple[LogReplay, dict[Place, Decision]]:
    """Replay a log that was cut into batches; decisions by place."""
    replay = new_replay(policies)
    decisions: dict[Place, Decision] = {}
    for batch in batches:
        decisions |= feed(replay, batch)
    return replay, decisions


def new_replay(policies: Mapping[str, Policy]) -> LogReplay:
    """A replay that has seen nothing yet."""
    return LogReplay(Source("spend.events", "topic-id", 0), policies, AT)


def feed(replay: LogReplay, batch: Sequence[Record]) -> dict[Place, Decision]:
    """Pass a batch of whole messages; its decisions by place."""
    decisions: dict[Place, Decision] = {}
    waiting: dict[str, Calls] = {}
    for record in batch:
        if isinstance(record.body, Activation):
            _judge(replay, waiting, decisions)
            replay.pass_activation(record.body, record.position.offset, record.received_at_ms)
        else:
            calls = waiting.setdefault(record.body.tenant, Calls())
            calls.add_message(record.position.offset, record.received_at_ms, [record.position.index], [record.body])
    _judge(replay, waiting, decisions)
    return decisions


def _judge(replay: LogReplay, waiting: dict[str, Calls], decisions: dict[Place, Decision]) -> None:
    for tenant, calls in waiting.items():
        for decision in replay.pass_calls(tenant, calls):
            decisions[decision.position.offset, decision.position.index] = decision
    waiting.clear()
