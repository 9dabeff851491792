"""What open live pages cost the stream: the worker's rate over the same load with none and with fifty, in turn."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.broker import Broker, Load
from bench.pages_data import TENANT
from bench.pages_house import Opened
from bench.processes import Process, wait_for
from bench.workload import PACKED, Workload
from spendgate.model.partition import partition_of

PAGES = 50
EVENTS, PACE_PER_S, PACED_S = 60_000, 1_000, 6
_DECISION = b'"decision_id":'


def watching(here: Opened, folder: Path, events: int, rounds: int) -> dict[str, Any]:
    """Both rates, and how long events wait for their decisions at a steady rate, with and without pages."""
    stream = _Stream(here, min(EVENTS, events))
    stream.rate()  # warms up
    rates: dict[int, list[float]] = {0: [], PAGES: []}
    waits: dict[int, list[float]] = {0: [], PAGES: []}
    cpu: dict[int, list[float]] = {0: [], PAGES: []}
    for _ in range(rounds):
        for pages in (0, PAGES):
            with _open(here, folder, pages):
                rates[pages].append(stream.rate())
                begun_s, begun_ms = time.perf_counter(), here.door_cpu_ms()
                waits[pages].append(stream.wait_ms())
                cpu[pages].append((here.door_cpu_ms() - begun_ms) / (time.perf_counter() - begun_s))
                told = f"{rates[pages][-1]:.0f} events/s, {waits[pages][-1]:.1f} ms, door {cpu[pages][-1]:.0f} ms CPU/s"
                print(f"{pages} pages: {told}", flush=True)
    stream.close()
    return {
        "ratios": {
            "rate_50_pages_vs_0": round(max(rates[PAGES]) / max(rates[0]), 3),
            "wait_0_pages_vs_50": round(min(waits[0]) / min(waits[PAGES]), 3),
        },
        "door_cpu_ms_per_s": {pages: [round(each) for each in found] for pages, found in cpu.items()},
        "events_per_s": {pages: [round(each) for each in found] for pages, found in rates.items()},
        f"wait_p50_ms_at_{PACE_PER_S}_per_s": {pages: [round(e, 1) for e in found] for pages, found in waits.items()},
    }  # fmt: skip


@contextmanager
def _open(here: Opened, folder: Path, count: int) -> Iterator[None]:
    if not count:
        yield
        return
    command = ["-m", "bench.pages_watch", str(here.port), here.operator, str(count)]
    pages = Process("live pages", command, {}, folder / "pages.log")
    try:
        wait_for("the live pages", lambda: "begun" in pages.lines(), [pages, here.door], 60)
        yield
        pages.require_alive()
    finally:
        pages.end()


class _Stream:
    """The tenant's partition of the log, and of the decisions."""

    def __init__(self, here: Opened, events: int) -> None:
        self._here, self._events = here, events
        self._broker, self._load = Broker(here.bootstrap), Workload(TENANT)
        self._place = partition_of(TENANT.encode(), here.topics.events.partitions)

    def rate(self) -> float:
        """Events a second: the load is appended while the worker is held, and then it is let go."""
        begin, worker = self._end(), self._here.worker
        worker.hold()
        try:
            self._broker.append(self._here.topics.events.name, [self._messages(self._events, PACKED)])
        finally:
            worker.release()
        told = self._decided(begin, self._events)
        first = min(at for at, _ in told)
        after = sum(count for at, count in told if at > first)
        return after / (max(at for at, _ in told) - first) * 1000

    def wait_ms(self) -> float:
        """The median from an event's append to its decision's, at a steady rate."""
        appended, begin = self._ends(self._here.topics.events.name), self._end()
        count = PACE_PER_S * PACED_S
        self._broker.pace(self._here.topics.events.name, [self._messages(count, 20)], PACED_S)
        told = self._decided(begin, count)
        taken = [each.appended_ms for _, each in self._broker.read(self._here.topics.events.name, appended)]
        by_event = [at for at, found in told for _ in range(found)]
        events = [at for at in taken for _ in range(20)]
        found = sorted(after - before for before, after in zip(events, by_event, strict=True))
        return float(found[len(found) // 2])

    def _messages(self, events: int, packed: int) -> Load:
        return Load(self._place, TENANT.encode(), self._load.messages(events, packed))

    def _ends(self, topic: str) -> dict[int, int]:
        return self._broker.ends(topic, [self._place])

    def _end(self) -> int:
        return self._ends(self._here.topics.decisions.name)[self._place]

    def _decided(self, begin: int, events: int) -> list[tuple[int, int]]:
        """When (ms) decisions were appended, and how many, once all have been."""
        topic, found = self._here.topics.decisions.name, list[tuple[int, int]]()
        at = begin

        def are_all() -> bool:
            nonlocal at
            for _, record in self._broker.read(topic, {self._place: at}):
                found.append((record.appended_ms, record.value.count(_DECISION)))
                at = record.offset + 1
            return sum(count for _, count in found) >= events

        wait_for("all decisions", are_all, [self._here.worker, self._here.door], 300)
        return found

    def close(self) -> None:
        """Leave the broker."""
        self._broker.close("no-topic-begins-so")
