"""What the ledger agent does with a partition's messages, step by step, beside writing the same rows as plain Parquet.

``python -m bench.ledger [--events 500000]`` prints JSON on the last line. No broker: messages are in memory, so the
figures are the agent's own work on one core. Each side is run ROUNDS times, in turn; the best time of each counts.
"""

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from agents.books import EventBook
from agents.delivery import Message
from agents.trust import anyone
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.packing import pack
from spendgate.ledger.sample import busy_hour
from spendgate.model.partition import partition_of
from spendgate.model.topics import load_topics

ROUNDS = 3
PER_MESSAGE = 500
BOOK_ROWS = 100_000
TENANT = "acme"
TOPIC_ID = "bench-topic"
START = datetime(2026, 11, 2, 9, tzinfo=UTC)


def messages(count: int) -> list[Message]:
    """A seeded busy hour, packed as the gateway packs it."""
    partition = partition_of(TENANT.encode(), load_topics().events.partitions)
    packed = pack(busy_hour(count, 7, START, TENANT), PER_MESSAGE)
    received_ms = int(START.timestamp() * 1000) + 3_600_000
    return [Message(partition, n, each.key, each.value, received_ms + n) for n, each in enumerate(packed)]


class Side:
    """Seconds of wall and of CPU, the best of all rounds."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = float("inf")

    def time(self, wall_s: float, cpu_s: float) -> None:
        """Take in one round."""
        self.wall_s, self.cpu_s = min(self.wall_s, wall_s), min(self.cpu_s, cpu_s)


class Clock:
    """The wall and the CPU since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def passed(self) -> tuple[float, float]:
        """Seconds of both."""
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def books(log: Sequence[Message], partition: int) -> Iterator[EventBook]:
    """The log as full books, one after the other; each must be cleared before the next."""
    book = EventBook(load_topics().events, TOPIC_ID, partition, -1, anyone)
    per_book = BOOK_ROWS // PER_MESSAGE
    for start in range(0, len(log), per_book):
        book.take(log[start : start + per_book], 0.0)
        yield book


def agent(log: Sequence[Message], root: Path) -> None:
    """Everything: decode, mark duplicates, rows, commit."""
    table, partition = LedgerTable(root), log[0].partition
    for book in books(log, partition):
        for page in book.pages():
            table.append(page.table, page.batches, (TOPIC_ID, partition), book.taken, first_offset=page.first_offset)
        book.clear()


def delta(parts: Sequence[Sequence[pa.RecordBatch]], partition: int, root: Path) -> None:
    """The commits alone, of rows that are there."""
    table = LedgerTable(root)
    for batches in parts:
        last = batches[-1].column("offset")[-1].as_py()
        table.append("events", batches, (TOPIC_ID, partition), last)


def parquet(parts: Sequence[Sequence[pa.RecordBatch]], root: Path) -> None:
    """The same rows, one plain Parquet file a book, with pyarrow's own settings but for the compression."""
    root.mkdir()
    for number, batches in enumerate(parts):
        pq.write_table(pa.Table.from_batches(batches), root / f"{number}.parquet", compression="zstd")


def main(arguments: Sequence[str]) -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=500_000)
    events = parser.parse_args(arguments).events
    log = messages(events)
    partition = log[0].partition
    rows = [list(next(book.pages()).batches) for book in _cleared(books(log, partition))]
    sides = {"agent": Side(), "rows": Side(), "delta": Side(), "parquet": Side()}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name, work in _works(log, rows, partition, Path(folder)).items():
                clock = Clock()
                work()
                sides[name].time(*clock.passed())
    print(json.dumps(_figures(events, sides)))


def _works(
    log: Sequence[Message], rows: Sequence[Sequence[pa.RecordBatch]], partition: int, root: Path
) -> dict[str, Callable[[], object]]:
    return {
        "agent": lambda: agent(log, root / "agent"),
        "rows": lambda: sum(1 for _ in _cleared(books(log, partition))),
        "delta": lambda: delta(rows, partition, root / "delta"),
        "parquet": lambda: parquet(rows, root / "parquet"),
    }


def _cleared(each: Iterator[EventBook]) -> Iterator[EventBook]:
    for book in each:
        yield book
        book.clear()


def _figures(events: int, sides: dict[str, Side]) -> dict[str, object]:
    return {
        "ratios": {"delta_vs_parquet": round(sides["parquet"].wall_s / sides["delta"].wall_s, 3)},
        "events_per_s": {name: round(events / side.wall_s) for name, side in sides.items()},
        "cpu_us_per_event": {name: round(side.cpu_s / events * 1e6, 2) for name, side in sides.items()},
        "events": events,
        "versions": {name: version(name) for name in ("deltalake", "pyarrow", "msgspec")}
        | {"python": platform.python_version()},
    }


if __name__ == "__main__":
    main(sys.argv[1:])
