"""The door's side of a process that exports: started, read part by part, killed."""

import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from asyncio.subprocess import create_subprocess_exec as started
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[2])
_PART_BYTES = 2**16
_MOST_WAITING = 2**20


class BrokenOff(Exception):
    """The process ended before the file did."""


class ExportChild:
    """One process, for one export."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, asked: Mapping[str, Any]) -> "ExportChild":
        """A new one; it takes a second until it has begun."""
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        process = await started(
            sys.executable, "-m", "gateway_shadow.exports.process", stdin=PIPE, stdout=PIPE, limit=_MOST_WAITING,
            # Arrow's own allocator keeps half as much again as it needs.
            env={**os.environ, "PYTHONPATH": path, "ARROW_DEFAULT_MEMORY_POOL": "system"},
            start_new_session=True,  # a Ctrl-C in the door's terminal is the door's to answer
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        return cls(process)

    async def head(self) -> dict[str, Any]:
        """The first line that it says. Raises BrokenOff."""
        assert self._process.stdout is not None
        try:
            said: dict[str, Any] = json.loads(await self._process.stdout.readline())
        except (OSError, ValueError):
            raise BrokenOff from None
        return said

    async def parts(self) -> AsyncIterator[bytes]:
        """The file, part by part. Raises BrokenOff where it has not become whole."""
        assert self._process.stdout is not None
        while part := await self._process.stdout.read(_PART_BYTES):
            yield part
        if await self._process.wait():
            raise BrokenOff

    async def kill(self) -> None:
        """End it, in the middle of whatever it does; returns once it has gone."""
        assert self._process.stdout is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        while await self._process.stdout.read(_MOST_WAITING):
            pass  # asyncio does not see the end of a process behind a pipe that nobody reads
        await self._process.wait()
