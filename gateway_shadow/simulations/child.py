"""The door's side of a process that simulates: started, given one job after another, killed."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parents[2])
_MOST_LINE = 2**20


class Died(Exception):
    """The process ended before the job did."""


class Child:
    """One process. It may serve many jobs, one at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> "Child":
        """A new one; it takes a second until it has begun its first job."""
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway_shadow.simulations.process", stdin=PIPE, stdout=PIPE, limit=_MOST_LINE,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # a Ctrl-C in the door's terminal is the door's to answer
            )
        )  # fmt: skip

    async def answers(self, asked: Mapping[str, Any]) -> AsyncIterator[tuple[dict[str, Any], bytes]]:
        """What it says of a job, line by line, until ``done`` or ``problem``; with ``done`` comes the report.

        Raises Died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            await self._process.stdin.drain()
            while line := await self._process.stdout.readline():
                said = json.loads(line)
                yield said, await self._process.stdout.readexactly(said.get("bytes", 0))
                if "done" in said or "problem" in said:
                    return
        except (OSError, ValueError, asyncio.IncompleteReadError):
            raise Died from None
        raise Died

    @property
    def is_alive(self) -> bool:
        """Whether it can take another job."""
        return self._process.returncode is None

    async def kill(self) -> None:
        """End it, in the middle of whatever it does; returns once it has gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
