"""Run other programs: their output in a log, and never left running."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dev.errors import StackError, no_space
from dev.interrupts import unbroken

_GRACE_S = 10
_LONGEST = 240
_FULL_BYTES = 64 * 1024
_TELLING = (
    re.compile(r"^(Caused by: )?[\w.$]+(Exception|Error): "),
    re.compile(r"\b(ERROR|FATAL)\b|^E: "),
    re.compile(r"error|fatal|fail|cannot|denied|unable", re.IGNORECASE),
    re.compile(r"\S"),
)
"""What a line that tells the cause looks like, the surest first."""
_NOISE = re.compile(r"\x1b\[[0-9;]*m")


def run(argv: Sequence[str], log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a program to its end, its output appended to ``log``.

    Raises:
        StackError: it failed; the message has the line of its output that tells why.
    """
    with log.open("ab") as output:
        start = output.tell()
        status = _run(argv, output.fileno(), cwd, env)
    if status != 0:
        raise failed(Path(argv[0]).name, log, start)


def answer(argv: Sequence[str], timeout_s: float = 5) -> str | None:
    """What a program says on its two outputs, or None where it is missing, fails or takes too long."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout + done.stderr


def failed(name: str, log: Path, start: int) -> StackError:
    """The error of a program that ended badly, told from what it logged from byte ``start`` on."""
    text = since(log, start)
    if "No space left on device" in text or _is_full(log.parent):
        return no_space(log.parent)
    cause = _cause(text)
    return StackError(f"{name} failed{': ' + cause if cause else ''} (its log: {log})")


def since(log: Path, start: int) -> str:
    """What was appended to a log from byte ``start`` on; empty where the log is gone."""
    try:
        with log.open("rb") as lines:
            lines.seek(start)
            return lines.read().decode(errors="replace")
    except OSError:
        return ""


def _run(argv: Sequence[str], output: int, cwd: Path | None, env: Mapping[str, str] | None) -> int:
    """Start it and wait for it; an interrupt of either ends it, for its start cannot be cut in two."""
    process = None
    try:
        with unbroken():
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        return process.wait()
    except FileNotFoundError as error:
        raise StackError(f"{Path(argv[0]).name} is missing") from error
    except BaseException:
        if process is not None:
            with unbroken():
                _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its children: it leads a session of its own."""
    with suppress(ProcessLookupError, PermissionError):  # it ended meanwhile
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _is_full(directory: Path) -> bool:
    """A full disk also cuts off the line of the log that would have told of it."""
    try:
        return shutil.disk_usage(directory).free < _FULL_BYTES
    except OSError:
        return False


def _cause(text: str) -> str:
    lines = [_NOISE.sub("", line).strip() for line in text.splitlines()]
    for telling in _TELLING:
        for line in lines:
            if telling.search(line):
                return line[:_LONGEST]
    return ""
