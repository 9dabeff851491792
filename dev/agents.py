"""Agents and doors of a checkout as processes of their own, ended with whoever started them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from dev.stack import Stack

STOP_WITHIN_S = 15


@contextmanager
def workers(
    count: int, stack: Stack, logs: Path, ledger: Path, prefix: str = "demo"
) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run ``count`` workers of the shadow agent, and the two that write the ledger; their output goes to ``logs``."""
    logs.mkdir(parents=True, exist_ok=True)
    names = [("worker", f"shadow-{number}") for number in range(count)]
    names += [(role, role) for role in ("ledger-events", "ledger-decisions")]
    with ExitStack() as exits:
        yield [exits.enter_context(_agent(role, name, stack, logs, ledger, prefix)) for role, name in names]


def _agent(
    role: str, name: str, stack: Stack, logs: Path, ledger: Path, prefix: str
) -> AbstractContextManager["subprocess.Popen[bytes]"]:
    environment = {
        "SPENDGATE_KAFKA": stack.bootstrap,
        "SPENDGATE_DEV": "1",
        "SPENDGATE_REDIS": stack.redis_url,
        "SPENDGATE_INSTANCE": f"{prefix}-{name}",
        "SPENDGATE_HTTP_PORT": "0",
        "SPENDGATE_LEDGER": str(ledger),
        "SPENDGATE_LEDGER_COMMIT_S": "1",
    }
    return process(["agents.app", role], environment, logs / f"{name}.log")


@contextmanager
def process(module: list[str], environment: Mapping[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run ``python -m`` with these arguments; its output goes to ``log``."""
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", *module],
            env={**os.environ, **environment}, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
