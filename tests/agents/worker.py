"""A worker with a trivial handler, run as a process of its own: it writes down every message that it handles.

Usage: python worker.py BOOTSTRAP TOPIC GROUP JOURNAL [MODE]. MODE: ``plain``, ``publish:TOPIC``, ``transient:N`` (the
first N calls raise Transient), ``fatal:CODE``, ``error`` (raises ValueError), ``slow:MS`` (each batch takes that long).
The environment may name a member slot (TEST_SLOT) and a session timeout in seconds (TEST_SESSION_S).
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from agents.delivery import Fatal, Message, Settings, Transient, make_app, run
from agents.faults import fault_point
from agents.publishing import Publisher, pack


def array(documents: Sequence[bytes]) -> bytes:
    """Encoded documents as one JSON array."""
    return b"[" + b",".join(documents) + b"]"


class Journal:
    """Appends one line a message, and one a call-back, to a file."""

    def __init__(self, path: Path, mode: str, publisher: Publisher) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.mode, _, self.detail = mode.partition(":")
        self.publisher = publisher
        self.calls = 0
        self.busy: set[int] = set()

    def write(self, line: str) -> None:
        os.write(self.file, f"{line}\n".encode())

    @contextlib.contextmanager
    def alone(self, partition: int) -> Iterator[None]:
        """Writes ``overlap`` if two calls for one partition run at a time."""
        if partition in self.busy:
            self.write(f"overlap {partition}")
        self.busy.add(partition)
        try:
            yield
        finally:
            self.busy.discard(partition)

    async def handle(self, partition: int, messages: Sequence[Message]) -> None:
        with self.alone(partition):
            self.calls += 1
            await fault_point("read")
            await self.misbehave()
            if self.mode == "publish":
                values = pack([message.value or b"" for message in messages], array)
                await self.publisher.publish(self.detail, [(b"k", value) for value in values], 0)
            await fault_point("published")
            os.write(
                self.file,
                b"".join(b"message %d %d %s\n" % (partition, m.offset, m.value or b"") for m in messages),
            )
            await fault_point("applied")

    async def misbehave(self) -> None:
        if self.mode == "transient" and self.calls <= int(self.detail):
            self.write("transient")
            raise Transient("the store is away")
        if self.mode == "fatal":
            raise Fatal("this cannot go on", int(self.detail))
        if self.mode == "error":
            raise ValueError("a bug in the handler")
        if self.mode == "slow":
            self.write("begun")
            await asyncio.sleep(int(self.detail) / 1000)

    async def idle(self, partition: int) -> None:
        with self.alone(partition):
            self.write(f"idle {partition}")

    async def assigned(self, partitions: frozenset[int]) -> None:
        self.write(f"assigned {','.join(map(str, sorted(partitions)))}")

    async def revoked(self, partitions: frozenset[int]) -> None:
        self.write(f"revoked {','.join(map(str, sorted(partitions)))}")


def main(bootstrap: str, topic: str, group: str, journal: str, mode: str = "plain") -> int:
    publisher = Publisher()
    handler = Journal(Path(journal), mode, publisher)
    settings = Settings(
        datadir=Path(journal).parent / "faust" / Path(journal).name,
        instance_id=os.environ.get("TEST_SLOT"),
        session_timeout_s=float(os.environ.get("TEST_SESSION_S", "6")),
        max_messages=int(os.environ.get("TEST_MAX_MESSAGES", "500")),
    )
    app = make_app(group, bootstrap=bootstrap, topic=topic, handler=handler, settings=settings, publisher=publisher)
    return run(app)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
