"""The demo's agents: real workers in processes of their own, ended with the demo."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dev.stack import Stack

STOP_WITHIN_S = 15


@contextmanager
def workers(count: int, stack: Stack, logs: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run ``count`` workers of the shadow agent; their output goes to ``logs``."""
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as exits:
        yield [exits.enter_context(_worker(number, stack, logs)) for number in range(count)]


@contextmanager
def _worker(number: int, stack: Stack, logs: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        **os.environ,
        "SPENDGATE_KAFKA": stack.bootstrap,
        "SPENDGATE_REDIS": stack.redis_url,
        "SPENDGATE_INSTANCE": f"demo-{number}",
        "SPENDGATE_HTTP_PORT": "0",
    }
    with (logs / f"shadow-{number}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents.app", "worker"],
            env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
