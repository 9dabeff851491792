"""One run of one contestant: how fast it is, or how long an event waits for its decision."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from bench.contestants import Contestant, Field
from bench.cpu import Sampler
from bench.ground import Ground
from bench.processes import BenchError, Process, wait_for

_DECISION = b'"decision_id":'
_POSITION = re.compile(rb'"offset":(\d+),"index":')
_NUMBER = re.compile(rb'"event_id":"[^"]*-([0-9a-f]{12})"')
_ASSIGNED = "assigned: "
_JOIN_WITHIN_S = 30.0
_RUN_UP = 0.25
"""The part of a paced run that is not counted: producer, broker and worker all find their pace first."""

Starts = dict[int, int]


@dataclass(frozen=True, slots=True)
class Speed:
    """``per_second``: events, from the first that was done to the last. ``cores``: processors used meanwhile."""

    per_second: float
    seconds: float
    cores: dict[str, float]


@dataclass(frozen=True, slots=True)
class Waits:
    """From the broker's append of an event to its append of the decision, in ms; ``offered``: events a second."""

    p50_ms: float
    p99_ms: float
    offered_per_second: float
    events: int


def speed(field: Field, one: Contestant, ground: Ground) -> Speed:
    """Start it, let it warm up, hold it while the whole load is appended, and let it go."""
    total = one.warm + one.events
    with _warm(field, one, ground, (one.warm, one.warm + 1, total)) as processes:
        starts = _ends(ground, ground.topics.decisions.name)
        for process in processes:
            process.hold()
        ground.broker.append(ground.topics.events.name, ground.loads(one.events, one.packed))
        workers = {f"{one.name} {i + 1}": process.pid for i, process in enumerate(processes)}
        with Sampler({**workers, **field.servers.pids}) as sampler:
            for process in processes:
                process.release()
            field.wait(one, ground, processes, total)
    if one.stock is not None:
        marks = processes[0].marks()
        begun_s, ended_s, done = marks[one.warm + 1], marks[total], one.events - 1
    else:
        begun_s, ended_s, done = _by_decisions(ground, starts, one.events)
    seconds = ended_s - begun_s
    return Speed(done / seconds, seconds, sampler.cores(begun_s, ended_s))


def waits(field: Field, one: Contestant, ground: Ground, per_second: float, seconds: float) -> Waits:
    """Start it, let it warm up, and offer events at a steady rate."""
    events = int(per_second * seconds) // one.packed * one.packed
    with _warm(field, one, ground, (one.warm, one.warm + events)) as processes:
        decided = _ends(ground, ground.topics.decisions.name)
        appended = _ends(ground, ground.topics.events.name)
        ground.broker.pace(ground.topics.events.name, ground.loads(events, one.packed), seconds)
        field.wait(one, ground, processes, one.warm + events)
        if one.stock is not None:  # it says that it is done when it has sent, not when the broker has it
            wait_for(one.name, lambda: _count(ground, decided) >= events, processes, _JOIN_WITHIN_S)
    found = np.array(list(_waited_ms(ground, appended, decided)))
    if len(found) != events:
        raise BenchError(f"{one.name}: {len(found)} decisions, expected {events}")
    appended_ms, waited_ms = found.T
    steady = waited_ms[appended_ms >= appended_ms.min() + 1000 * seconds * _RUN_UP]
    p50, p99 = np.percentile(steady, (50, 99)).tolist()
    return Waits(p50, p99, per_second, len(steady))


@contextmanager
def _warm(field: Field, one: Contestant, ground: Ground, marks: tuple[int, ...]) -> Iterator[list[Process]]:
    """Its processes, with everything loaded and compiled, and each with its share of the partitions."""
    with field.running(one, ground, marks) as processes:
        if one.workers > 1:
            wait_for(one.name, lambda: _shared(processes), processes, _JOIN_WITHIN_S)
        ground.broker.append(ground.topics.events.name, ground.loads(one.warm, one.packed))
        field.wait(one, ground, processes, one.warm)
        yield processes


def _shared(processes: Sequence[Process]) -> bool:
    """Whether the last that each was assigned are partitions, and other ones than the others'."""
    last = [[line.split(_ASSIGNED)[1] for line in process.lines() if _ASSIGNED in line] for process in processes]
    sets = [set(lines[-1].split(",")) - {"nothing"} if lines else set() for lines in last]
    return all(sets) and sum(map(len, sets)) == len(set().union(*sets))


def _ends(ground: Ground, topic: str) -> Starts:
    return ground.broker.ends(topic, range(ground.topics.events.partitions))


def _count(ground: Ground, starts: Starts) -> int:
    ends = _ends(ground, ground.topics.decisions.name)
    return sum(ends[partition] - start for partition, start in starts.items())


def _by_decisions(ground: Ground, starts: Starts, events: int) -> tuple[float, float, int]:
    """When (s) the first decisions were appended and when the last, and how many came after the first."""
    times, counts = [], []
    for _, record in ground.broker.read(ground.topics.decisions.name, starts):
        times.append(record.appended_ms)
        counts.append(record.value.count(_DECISION))
    if sum(counts) != events:
        raise BenchError(f"{ground.prefix}: {sum(counts)} decisions, expected {events}")
    first = min(times)
    after = sum(count for at, count in zip(times, counts, strict=True) if at > first)
    return first / 1000, max(times) / 1000, after


def _waited_ms(ground: Ground, appended: Starts, decided: Starts) -> Iterator[tuple[int, int]]:
    """By event: when it was appended, and how much later its decision was."""
    taken = {
        (partition, record.offset): record.appended_ms
        for partition, record in ground.broker.read(ground.topics.events.name, appended)
    }
    count = len(appended)
    for partition, record in ground.broker.read(ground.topics.decisions.name, decided):
        for number in _NUMBER.findall(record.value) if ground.spreads else ():
            place = int(number, 16)
            at_ms = taken[place % count, appended[place % count] + place // count]
            yield at_ms, record.appended_ms - at_ms
        for offset in () if ground.spreads else _POSITION.findall(record.value):
            at_ms = taken[partition, int(offset)]
            yield at_ms, record.appended_ms - at_ms
