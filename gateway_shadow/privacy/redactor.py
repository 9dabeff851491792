"""The door's side of the process that redacts: begun at first use, given contents, ended when it takes too long.

It fails towards less: content that is not redacted in time is not kept, and the event goes on without it.
"""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger(__name__)

WAIT_S, WITHIN_S = 10.0, 8.0
"""How long a body waits for its turn and for the process to begin, and how long its contents may take."""
LATE, AWAY = "content that is redacted in time", "a redactor that runs"
_ROOT = str(Path(__file__).resolve().parents[2])
_decode_answer = msgspec.msgpack.Decoder(list[Any]).decode
"""Bytes and text are told apart by MessagePack itself."""
_decode_start = msgspec.msgpack.Decoder(str).decode
_encode = msgspec.msgpack.Encoder().encode


class Died(Exception):
    """The process ended, or does not begin."""


class Redactor:
    """Redacts content, one body after another. ``model``: the folder of a spaCy model, or None."""

    def __init__(self, model: Path | None) -> None:
        self._model = model
        self._beginning: asyncio.Task[Process] | None = None
        self._one_at_a_time = asyncio.Lock()

    def prepare(self) -> None:
        """Have the process begin, if it has not, and wait for nothing: it takes seconds."""
        if self._beginning is None:
            self._beginning = asyncio.create_task(self._begin())
            self._beginning.add_done_callback(_looked_at)

    async def redacted(self, contents: Sequence[bytes]) -> list[bytes | str]:
        """Each content redacted, or what was expected of it."""
        until_s = asyncio.get_running_loop().time() + WAIT_S
        try:
            async with asyncio.timeout_at(until_s):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            return [LATE] * len(contents)
        try:
            async with asyncio.timeout_at(until_s):
                process = await self._begun()
            return await self._asked(process, list(contents))
        except TimeoutError:
            return [LATE] * len(contents)
        except Died:
            return [AWAY] * len(contents)
        finally:
            self._one_at_a_time.release()

    async def _asked(self, process: Process, contents: list[bytes]) -> list[bytes | str]:
        try:
            async with asyncio.timeout(WITHIN_S):
                await _write(process, contents)
                return _decode_answer(await _read(process))
        except TimeoutError:
            await self.close()
            return [LATE] * len(contents)
        except (Died, OSError, msgspec.DecodeError):
            await self.close()
            return [AWAY] * len(contents)
        except BaseException:  # cancelled in the middle of a frame
            await self.close()
            raise

    async def _begun(self) -> Process:
        """The process; whoever cannot wait until it has begun leaves it to whoever comes next."""
        self.prepare()
        assert self._beginning is not None
        try:
            process = await asyncio.shield(self._beginning)
        except (Died, OSError):
            self._beginning = None
            raise Died from None
        if process.returncode is None:
            return process
        await self.close()
        return await self._begun()

    async def _begin(self) -> Process:
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        # Presidio leaves out a pattern that takes longer than this; here whoever is too slow is ended.
        environment = {**os.environ, "PYTHONPATH": path, "REGEX_TIMEOUT_SECONDS": "86400"}
        arguments = [] if self._model is None else [str(self._model.resolve())]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway_shadow.privacy.redaction_process", *arguments,
            stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=environment, start_new_session=True,
        )  # fmt: skip
        try:
            problem = _decode_start(await _read(process))
        except BaseException:
            await _end(process)
            raise
        if problem:
            log.error("the redactor does not begin: %s", problem)
            await _end(process)
            raise Died
        return process

    async def close(self) -> None:
        """End the process; the next content begins another."""
        beginning, self._beginning = self._beginning, None
        if beginning is None:
            return
        if not beginning.done():
            beginning.cancel()
        with suppress(Died, OSError, asyncio.CancelledError):
            await _end(await beginning)


def _looked_at(beginning: asyncio.Task[Process]) -> None:
    """A failure is told to whoever asks next; here it is only not left lying."""
    if not beginning.cancelled():
        beginning.exception()


async def _end(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def _write(process: Process, contents: list[bytes]) -> None:
    assert process.stdin is not None
    frame = _encode(contents)
    process.stdin.write(len(frame).to_bytes(4) + frame)
    await process.stdin.drain()


async def _read(process: Process) -> bytes:
    assert process.stdout is not None
    try:
        return await process.stdout.readexactly(int.from_bytes(await process.stdout.readexactly(4)))
    except asyncio.IncompleteReadError:
        raise Died from None
