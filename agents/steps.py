"""Messages of one partition as steps: runs of events that are judged together, and activations by themselves."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agents.delivery import Message
from agents.trust import Trust, anyone, checked
from spendgate.engine.calls import EPOCH, Calls
from spendgate.model.decision import Position
from spendgate.model.decode import Decoded, decode_message
from spendgate.model.rejection import Rejection, rejection
from spendgate.model.topics import Topic
from spendgate.simulate.ledger_log import Stretch

MAX_EVENTS = 10_000


@dataclass(slots=True)
class Step(Stretch):
    """A stretch of consecutive messages, and what was set aside of them."""

    rejections: list[Rejection] = field(default_factory=list)
    size: int = 0


def steps(topic: Topic, messages: Iterable[Message], after: int, trusts: Trust = anyone) -> Iterator[Step]:
    """The steps of ``messages`` beyond offset ``after``; each is applied whole, by one move of the mark.

    ``trusts``: which activations are obeyed; the others are set aside.
    """
    step: Step | None = None
    for message in messages:
        if message.offset <= after:
            continue
        decoded = checked(decode_message(message.key, message.value, message.partition, topic.partitions), trusts)
        if step is not None and (decoded.activation is not None or step.size >= MAX_EVENTS):
            yield step
            step = None
        if decoded.activation is not None:
            yield Step(message.offset, message.timestamp_ms, activation=decoded.activation)
            continue
        if step is None:
            step = Step(message.offset, message.timestamp_ms)
        _extend(step, topic, message, decoded)
    if step is not None:
        yield step


def _extend(step: Step, topic: Topic, message: Message, decoded: Decoded) -> None:
    step.last = message.offset
    step.size += len(decoded.events) + len(decoded.faults)
    if decoded.events:
        calls = step.calls.get(decoded.tenant)
        if calls is None:
            calls = step.calls[decoded.tenant] = Calls()
        calls.add_message(message.offset, message.timestamp_ms, decoded.indexes, decoded.events)
    for fault in decoded.faults:
        position = Position(topic.name, message.partition, message.offset, fault.place)
        step.rejections.append(rejection(position, instant(message.timestamp_ms), decoded.tenant, fault))


def instant(at_ms: int) -> datetime:
    """Milliseconds since the epoch as an aware instant."""
    return EPOCH + timedelta(milliseconds=at_ms)


def of_tenant(messages: Iterable[Message], tenant: str) -> Sequence[Message]:
    """The messages whose key is ``tenant``."""
    key = tenant.encode()
    return [message for message in messages if message.key == key]
