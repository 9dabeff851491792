"""Programs that stand in for others, and what it takes to run `spendgate dev` as its own process."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_RUN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from spendgate.cli.dev import app
app()
"""
"""A shell may have started the tests with Ctrl-C ignored, which a child inherits."""


def program(directory: Path, name: str, body: str) -> Path:
    """An executable shell script in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def linked(directory: Path, *programs: str) -> Path:
    """A PATH of one directory that has these programs of the machine and no other."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in programs:
        (directory / name).symlink_to(shutil.which(name) or name)
    return directory


def spendgate_dev(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start ``spendgate dev`` with its state in ``home``; both of its outputs are pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {}), "SPENDGATE_DEV_DIR": str(home)},
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # nohup would have it ignored
    )


def run_dev(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a whole ``spendgate dev``."""
    with spendgate_dev(home, *arguments, env=env) as process:
        try:
            out, err = process.communicate(timeout=300)
        finally:
            process.kill()
    return process.returncode, out, err


def interrupt_at(process: subprocess.Popen[str], line: str, number: signal.Signals = signal.SIGINT) -> int:
    """Send the signal once stderr has a line that starts so; returns the exit code."""
    with process:
        if process.stderr is None:
            raise ValueError("expected a pipe")
        for told in process.stderr:
            if told.startswith(line):
                process.send_signal(number)
                break
        process.communicate(timeout=120)
    return process.returncode
