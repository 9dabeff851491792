"""The sending loop: slices of rows go out as messages, and count once the broker has acknowledged them."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event as Flag
from typing import Protocol

from spendgate.cli.kafka_client import Acknowledgement
from spendgate.cli.send_progress import Progress
from spendgate.ledger.packing import pack
from spendgate.ledger.readers import InputError, Refused
from spendgate.model.event import Event

_FIRST_ROWS = 100
Item = Event | Refused


class Wire(Protocol):
    """Where messages go."""

    def send(self, topic: str, key: bytes, value: bytes) -> Acknowledgement:
        """Hand one message over."""

    def wait(self, sent: Iterable[Acknowledgement]) -> None:
        """Return once all are acknowledged."""


@dataclass(frozen=True, slots=True)
class Job:
    """One send. ``priced`` sets costs, by the events' own times. ``stop`` is set to end it early; ``acknowledged`` is
    told whenever progress was made."""

    topic: str
    pack: int
    shift: timedelta
    rate: int | None
    stop: Flag
    put_aside: Callable[[Refused], None]
    acknowledged: Callable[[Progress], None]
    clock: Callable[[], float] = time.monotonic
    priced: Callable[[Iterable[Event]], Iterable[Event]] = iter


@dataclass(slots=True)
class _Slice:
    """What was handed over and is not yet known to have arrived."""

    rows: int = 0
    events: int = 0
    refused: list[Refused] = field(default_factory=list)
    sent: list[Acknowledgement] = field(default_factory=list)


def run(slices: Iterable[Sequence[Item]], wire: Wire, job: Job, progress: Progress) -> bool:
    """Send all slices, moving ``progress``; one slice is in flight while the next is read.

    True at the end. False, with all that was handed over acknowledged, if ``job.stop`` was set before it.
    Raises KafkaAway; ``progress`` then counts what had been acknowledged.
    """
    waiting = _Slice()
    pace = _Pace(job)
    for part in slices:
        if job.stop.is_set():
            _settle(waiting, wire, job, progress)
            return False
        handed_over = _hand_over(part, wire, job)
        _settle(waiting, wire, job, progress)
        waiting = handed_over
        pace.wait(len(part))
    _settle(waiting, wire, job, progress)
    return True


def _hand_over(part: Sequence[Item], wire: Wire, job: Job) -> _Slice:
    done = _Slice(rows=len(part))
    events: list[Event] = []
    for item in part:
        if isinstance(item, Refused):
            done.refused.append(item)
        else:
            events.append(item)
    events = list(job.priced(events))
    for event in events:
        event.time += job.shift
    done.events = len(events)
    done.sent = [wire.send(job.topic, message.key, message.value) for message in pack(events, job.pack)]
    return done


def _settle(waiting: _Slice, wire: Wire, job: Job, progress: Progress) -> None:
    if not waiting.rows:
        return
    wire.wait(waiting.sent)
    progress.rows += waiting.rows
    progress.events += waiting.events
    progress.messages += len(waiting.sent)
    progress.quarantined += len(waiting.refused)
    for refused in waiting.refused:
        job.put_aside(refused)
    job.acknowledged(progress)


class _Pace:
    """Holds the loop back to ``rate`` rows a second on average."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._start_s = job.clock()
        self._rows = 0

    def wait(self, rows: int) -> None:
        self._rows += rows
        if self._job.rate:
            ahead_s = self._rows / self._job.rate - (self._job.clock() - self._start_s)
            if ahead_s > 0:
                self._job.stop.wait(ahead_s)


def with_an_event(rows: Iterable[Item]) -> Iterator[Item]:
    """All of ``rows``. Raises InputError if the first hundred hold no event: it is the wrong file then."""
    first: list[Refused] = []
    rows = iter(rows)
    for row in rows:
        if isinstance(row, Event):
            yield from first
            yield row
            yield from rows
            return
        first.append(row)
        if len(first) == _FIRST_ROWS:
            break
    if first:
        raise InputError(f"none of the first {len(first)} rows is an event; {first[0]}")
