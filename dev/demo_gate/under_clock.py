"""Runs a program of ours, unchanged, under the demo's clock: ``python -m dev.demo_gate.under_clock MODULE ARGUMENTS``.

Told of it are ``time.time`` and ``time.time_ns``, the modules that ask ``datetime.now``, and with them the times of the
records that its producer writes (aiokafka's own Python, for its C asks the system).
"""

import importlib
import os
import sys
import time
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Self

from agents.roles import MODULES
from dev.demo_gate.clock import CLOCK_ENV, Clock

ASKING = ("agents.roles.shadow_worker", "gateway_shadow.checks.check", "gateway_shadow.checks.flag_watch")
"""The modules that ask what time of day it is."""


def run(module: str, arguments: list[str]) -> int:
    """The program's exit code."""
    clock = Clock(Path(os.environ[CLOCK_ENV]))
    time.time, time.time_ns = (lambda: clock.now_ns() / 1e9), clock.now_ns
    os.environ["AIOKAFKA_NO_EXTENSIONS"] = "1"
    program = importlib.import_module(module)
    if module == "agents.app":
        importlib.import_module(MODULES[arguments[0]])  # which the program itself would load later

    class Told(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return datetime.fromtimestamp(clock.now_ns() / 1e9, tz)  # type: ignore[return-value]

    for name in ASKING:
        if name in sys.modules:
            sys.modules[name].datetime = Told  # type: ignore[attr-defined]
    return int(program.main(*([arguments] if arguments else [])))


if __name__ == "__main__":
    code = run(sys.argv[1], sys.argv[2:])
    from agents.exits import leave

    leave(code)
