"""Books: the rows of one partition that are not in the ledger yet."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from agents import ledger_metrics as metrics
from agents.delivery import Message
from agents.steps import Step, instant, steps
from agents.trust import Trust
from spendgate.engine.seed import Acceptance
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.check_rows import check_batch_of, read_check
from spendgate.ledger.decision_rows import decision_batch_of
from spendgate.ledger.delta_tables import TableName
from spendgate.ledger.event_rows import Place, logged_batch
from spendgate.ledger.rejection_rows import read_rejection, rejection_batch_of
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision, read_decisions
from spendgate.model.topics import Topic
from spendgate.simulate.checkpoint import decode_state
from spendgate.simulate.checkpoints import Start, latest
from spendgate.simulate.ledger_log import LedgerLog


class Page(NamedTuple):
    """What goes into one table. ``first_offset``: see ``LedgerTable.append``."""

    table: TableName
    batches: Sequence[pa.RecordBatch]
    first_offset: int | None


class Book(ABC):
    """One partition's open book: ``taken`` is the offset that it has come to, ``first`` the first that is not in the
    ledger yet."""

    def __init__(self, topic: Topic, topic_id: str, partition: int, covered: int) -> None:
        self._topic = topic
        self._source = (topic_id, partition)
        self.partition = partition
        self.taken = covered
        self.rows = 0
        self.first: int | None = None
        self._batches: list[pa.RecordBatch] = []
        self._since_s = 0.0

    @abstractmethod
    def take(self, messages: Sequence[Message], now_s: float) -> None:
        """Turn messages beyond ``taken`` into rows."""

    @abstractmethod
    def pages(self) -> Iterator[Page]:
        """What to append, in this order: the last page is the one whose offset counts."""

    def age_s(self, now_s: float) -> float:
        """Seconds since the first message that is not in the ledger yet; 0 without one."""
        return now_s - self._since_s if self.first is not None else 0.0

    def clear(self) -> None:
        """All pages have been appended."""
        self._batches, self.rows, self.first = [], 0, None

    def _fresh(self, messages: Sequence[Message], now_s: float) -> list[Message]:
        fresh = [message for message in messages if message.offset > self.taken]
        if fresh and self.first is None:
            self.first, self._since_s = fresh[0].offset, now_s
        if fresh:
            self.taken = fresh[-1].offset
        return fresh

    def _add(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self.rows += batch.num_rows


class EventBook(Book):
    """Events, those that were accepted before marked as duplicates, and activations."""

    def __init__(self, topic: Topic, topic_id: str, partition: int, covered: int, trusts: Trust) -> None:
        super().__init__(topic, topic_id, partition, covered)
        self._trusts = trusts
        self._activations: list[PlacedActivation] = []
        self._accepted: dict[str, Acceptance] = {}

    def resume(self, log: LedgerLog) -> None:
        """Learn from the ledger's own rows who has been accepted so far. Raises LedgerError."""
        start = latest(log, self.taken)
        self._resume_at(start)
        for stretch in log.stretches(start.offset + 1, self.taken):
            if stretch.activation is not None:
                self._of(stretch.activation.tenant).pass_activation(stretch.activation, stretch.received_ms)
            for tenant, calls in stretch.calls.items():
                self._of(tenant).pass_calls(calls)

    def _resume_at(self, start: Start) -> None:
        for row in start.rows:
            state = decode_state(row.state)
            self._of(row.tenant).resume(state.document, state.known)

    def _of(self, tenant: str) -> Acceptance:
        if tenant not in self._accepted:
            self._accepted[tenant] = Acceptance(tenant)
        return self._accepted[tenant]

    def take(self, messages: Sequence[Message], now_s: float) -> None:
        """See Book. What cannot be read is left to the shadow agent, which sets it aside."""
        fresh = self._fresh(messages, now_s)
        values = {message.offset: message.value for message in fresh}
        for step in steps(self._topic, fresh, -1, self._trusts):
            if step.activation is not None:
                self._activate(step, step.activation, values[step.last] or b"")
            self._record(step)

    def _activate(self, step: Step, activation: Activation, encoded: bytes) -> None:
        self._of(activation.tenant).pass_activation(activation, step.received_ms)
        place = Place(*self._source, step.last, 0, instant(step.received_ms))
        self._activations.append(PlacedActivation(place, activation, encoded))
        self.rows += 1

    def _record(self, step: Step) -> None:
        for tenant, calls in step.calls.items():
            duplicates = self._of(tenant).duplicates(calls)
            places = calls.offsets, calls.indexes, calls.received_ms
            self._add(logged_batch(self._source, places, duplicates, calls.events))

    def pages(self) -> Iterator[Page]:
        """See Book. Activations first: then whatever the events reach, its activations are there too."""
        if self._activations:
            yield Page("activations", [activation_batch_of(self._activations)], None)
        yield Page("events", self._batches, self.first)

    def clear(self) -> None:
        """See Book."""
        super().clear()
        self._activations = []


class Kind(NamedTuple):
    """What the messages of a topic are: the table of their rows, the records of one message (raises DecodeError), and
    their rows."""

    table: TableName
    read: Callable[[bytes], Sequence[Any]]
    batch_of: Callable[[Sequence[Any], Sequence[Place]], pa.RecordBatch]


class RecordBook(Book):
    """Records as they were published, each copy a row."""

    def __init__(self, topic: Topic, topic_id: str, partition: int, covered: int, kind: Kind) -> None:
        super().__init__(topic, topic_id, partition, covered)
        self._kind = kind

    def take(self, messages: Sequence[Message], now_s: float) -> None:
        """See Book. A message that holds no such record is counted; it stays on the topic."""
        records: list[Any] = []
        places: list[Place] = []
        for message in self._fresh(messages, now_s):
            found = self._read(message.value)
            received = instant(message.timestamp_ms)
            records += found
            places += [Place(*self._source, message.offset, i, received) for i in range(len(found))]
        if records:
            self._add(self._kind.batch_of(records, places))

    def _read(self, value: bytes | None) -> Sequence[Any]:
        try:
            return self._kind.read(value or b"")
        except msgspec.DecodeError:
            metrics.UNREADABLE.inc()
            return []

    def pages(self) -> Iterator[Page]:
        """See Book."""
        yield Page(self._kind.table, self._batches, self.first)


def _decisions(value: bytes) -> list[Decision]:
    found = read_decisions(value)
    if found is None:
        raise msgspec.DecodeError("expected decisions")
    return found


DECISIONS = Kind("decisions", _decisions, decision_batch_of)
CHECKS = Kind("checks", lambda value: [read_check(value)], check_batch_of)
REJECTIONS = Kind("rejections", lambda value: [read_rejection(value)], rejection_batch_of)
