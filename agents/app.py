"""The Kafka door's composition root: ``python -m agents.app ROLE``; the roles are in ``agents.roles``."""

import gc

if __name__ == "__main__":
    gc.disable()  # until all is loaded, which stays: looks at it took a fifth of the time

import sys
from collections.abc import Callable
from importlib import import_module

from agents.config import WRONG_USAGE, Config
from agents.exits import Fatal, leave, one_line
from agents.roles import MODULES
from policy_store.errors import StoreError
from spendgate.model.topics import TopicsError
from telemetry.labels import LABELS, most_from_environment
from telemetry.tracing import set_up

USAGE = f"usage: python -m agents.app {' | '.join(MODULES)}"


def main(arguments: list[str]) -> int:
    """Run an agent; returns the process's exit code."""
    if len(arguments) != 1 or arguments[0] not in MODULES:
        sys.stderr.write(USAGE + "\n")
        return WRONG_USAGE
    role = arguments[0]
    try:
        config = Config.from_environment(role)
        LABELS.most = most_from_environment()
        set_up(f"spendgate-{role}")
        run: Callable[[str, Config], int] = import_module(MODULES[role]).run
        gc.enable()
        return run(role, config)
    except (Fatal, TopicsError, StoreError, ValueError) as error:
        sys.stderr.write(f"spendgate: {one_line(error)}\n")
        return error.code if isinstance(error, Fatal) else WRONG_USAGE


if __name__ == "__main__":
    leave(main(sys.argv[1:]))  # at once: the interpreter's own end can crash in a thread of a consumer that still runs
