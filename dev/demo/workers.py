"""The demo's agents, shadow workers and recorders: processes of their own, ended with the demo."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dev.stack import Stack

STOP_WITHIN_S = 15


@contextmanager
def workers(count: int, stack: Stack, logs: Path, ledger: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run ``count`` workers of the shadow agent, and the two that write the ledger; their output goes to ``logs``."""
    logs.mkdir(parents=True, exist_ok=True)
    names = [("worker", f"shadow-{number}") for number in range(count)]
    names += [(role, role) for role in ("ledger-events", "ledger-decisions")]
    with ExitStack() as exits:
        yield [exits.enter_context(_worker(role, name, stack, logs, ledger)) for role, name in names]


@contextmanager
def _worker(role: str, name: str, stack: Stack, logs: Path, ledger: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        **os.environ,
        "SPENDGATE_KAFKA": stack.bootstrap,
        "SPENDGATE_DEV": "1",
        "SPENDGATE_REDIS": stack.redis_url,
        "SPENDGATE_INSTANCE": f"demo-{name}",
        "SPENDGATE_HTTP_PORT": "0",
        "SPENDGATE_LEDGER": str(ledger),
        "SPENDGATE_LEDGER_COMMIT_S": "1",
    }
    with (logs / f"{name}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "agents.app", role],
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
