"""Topics, messages and workers for one test; the workers are processes of their own, on a real broker."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.live.waiting import until

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("worker.py")


@dataclass
class Running:
    """One worker process and what it wrote down."""

    process: "subprocess.Popen[bytes]"
    journal: Path
    output: Path

    def lines(self) -> list[str]:
        text = self.journal.read_text() if self.journal.exists() else ""
        return text.splitlines()

    def owned(self) -> frozenset[int]:
        """What it was last assigned."""
        last = [line for line in self.lines() if line.startswith("assigned")]
        return frozenset(map(int, last[-1].removeprefix("assigned").split(","))) if last else frozenset()

    def log(self) -> str:
        return self.output.read_text()

    def alive(self) -> bool:
        return self.process.poll() is None

    def ended(self) -> int:
        """Wait for its end; returns the exit code."""
        until(lambda: not self.alive(), "the end of the worker")
        return self.process.returncode

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Kitchen:
    """Makes topics, messages and workers for one test, and cleans up after it."""

    numbers = itertools.count()

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.name = f"delivery-{os.getpid()}-{time.time_ns()}-{next(self.numbers)}"
        self.workers: list[Running] = []
        self.sent: dict[int, list[str]] = defaultdict(list)

    def topic(self, partitions: int, suffix: str = "") -> str:
        async def create() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            await admin.create_topics([NewTopic(self.name + suffix, partitions, 1)])
            await admin.close()

        asyncio.run(create())
        return self.name + suffix

    def send(self, counts: Mapping[int, int]) -> None:
        """Send so many messages to each partition, each with the number of its place in it."""

        async def produce() -> None:
            async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=5) as producer:
                for partition, count in counts.items():
                    for _ in range(count):
                        value = str(len(self.sent[partition]))
                        self.sent[partition].append(value)
                        await producer.send(self.name, value.encode(), partition=partition)

        asyncio.run(produce())

    def worker(self, mode: str = "plain", **environment: str) -> Running:
        number = len(self.workers)
        journal, output = self.folder / f"journal-{number}", self.folder / f"output-{number}"
        with output.open("wb") as sink:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), self.bootstrap, self.name, self.name, str(journal), mode],
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        self.workers.append(Running(process, journal, output))
        return self.workers[-1]

    def handled(self) -> dict[int, set[int]]:
        """Per partition, every offset that some worker wrote down."""
        found: dict[int, set[int]] = defaultdict(set)
        for worker in self.workers:
            for line in worker.lines():
                word, *rest = line.split()
                if word == "message":
                    found[int(rest[0])].add(int(rest[1]))
        return found

    def all_handled(self) -> bool:
        found = self.handled()
        return all(found[partition] >= set(range(len(sent))) for partition, sent in self.sent.items())

    def committed(self) -> dict[int, int]:
        """Per partition, the committed offset; 0 where there is none."""

        async def ask() -> dict[int, int]:
            client = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.name, enable_auto_commit=False)
            await client.start()
            try:
                return {p: await client.committed(TopicPartition(self.name, p)) or 0 for p in self.sent}
            finally:
                await client.stop()

        return asyncio.run(ask())

    def all_committed(self) -> bool:
        return self.committed() == {partition: len(sent) for partition, sent in self.sent.items()}

    def messages(self, topic: str) -> list[bytes]:
        """Everything in partition 0 of ``topic``."""

        async def read() -> list[bytes]:
            tp = TopicPartition(topic, 0)
            client = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest")
            await client.start()
            try:
                client.assign([tp])
                end = (await client.end_offsets([tp]))[tp]
                found: list[bytes] = []
                while len(found) < end:
                    found += [r.value for r in (await client.getmany(tp, timeout_ms=1000)).get(tp, [])]
                return found
            finally:
                await client.stop()

        return asyncio.run(read())

    def close(self) -> None:
        for worker in self.workers:
            if worker.alive():
                worker.kill()
