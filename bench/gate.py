"""``make bench-gate``: what proving costs, beside what it is proven with; the last line is one JSON object.

``reconcile_vs_simulate``: events a second of ``spendgate reconcile`` over a ledger, against those of ``spendgate
simulate`` over the same events, each a process timed from its start to its finished report. The other ratios:
see ``bench.reserve``.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from bench.gate_data import make_log
from bench.reserve import reserving
from bench.simulate import policy
from spendgate.model.policy import Policy

SPENDGATE = str(Path(sys.executable).with_name("spendgate"))
TARGETS = {"reconcile_vs_simulate": 1 / 3, "reserve_vs_incrby": 0.7}
MEMORY_TARGET_MB = 3_000


class Timed(NamedTuple):
    """One run: from the process's start to its end, and the most memory that it held."""

    seconds: float
    peak_mb: int
    printed: str


def timed(command: Sequence[str], codes: Sequence[int] = (0,)) -> Timed:
    """Run a command. Raises SystemExit for another exit code than these."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        output.seek(0)
        printed = output.read()
    if os.waitstatus_to_exitcode(status) not in codes:
        raise SystemExit(f"{' '.join(command[:3])} ended with {os.waitstatus_to_exitcode(status)}")
    print(f"{' '.join(command[:2])}: {seconds:.2f} s, at most {usage.ru_maxrss // 1024} MB")
    return Timed(seconds, usage.ru_maxrss // 1024, printed)


def reconciling(folder: Path, events: int, rounds: int) -> dict[str, Any]:
    """The ratio, and what it is made of."""
    written = policy("five")
    file = folder / "five.json"
    file.write_text(written, encoding="utf-8")
    ledger = str(make_log(folder, events, Policy.model_validate_json(written)))
    simulate = [SPENDGATE, "simulate", "--ledger", ledger, "--policy", str(file), "--json"]
    reconcile = [SPENDGATE, "reconcile", "--ledger", ledger, "--policy", str(file), "--json"]
    for command, codes in ((simulate, (0,)), (reconcile, (0, 1))):
        timed(command, codes)  # fills the compiler's cache
    pairs = [(timed(simulate), timed(reconcile, (0, 1))) for _ in range(rounds)]  # in turn: the machine changes
    mine = min((each for _, each in pairs), key=lambda each: each.seconds)
    beside = min(each.seconds for each, _ in pairs)
    calls = json.loads(mine.printed)["calls"]
    if calls["matched"] != events:
        raise SystemExit(f"expected {events} calls that match, found {calls['matched']}")
    return {
        "ratios": {"reconcile_vs_simulate": round(beside / mine.seconds, 3)},
        "reconcile_s": round(mine.seconds, 2),
        "simulate_s": round(beside, 2),
        "reconcile_events_per_s": round(events / mine.seconds),
        "reconcile_peak_mb": mine.peak_mb,
        "rounds": [[round(each.seconds, 2) for each in pair] for pair in pairs],
    }


PARTS: dict[str, Callable[[Path, int, int], Mapping[str, Any]]] = {
    "reconcile": reconciling, "reserve": lambda *_: reserving(),
}  # fmt: skip
"""By name: told a scratch folder, a number of events and of rounds, each gives its ``ratios`` and what they rest on."""


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.gate")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which; all by default")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="1 million events, one round")
    parser.add_argument("--keep", type=Path, help="a folder for the generated log")
    wish = parser.parse_args()
    events, rounds = (1_000_000, 1) if wish.quick else (wish.events, wish.rounds)
    with tempfile.TemporaryDirectory() as scratch:
        found = [PARTS[name](wish.keep or Path(scratch), events, rounds) for name in wish.parts or PARTS]
    ratios = {name: value for part in found for name, value in part["ratios"].items()}
    told = {name: value for part in found for name, value in part.items() if name != "ratios"}
    for name, value in ratios.items():
        if name in TARGETS and value < TARGETS[name]:
            print(f"missed: {name} is {value}, and {TARGETS[name]:.3f} is asked for")
    print(json.dumps({"ratios": ratios, "events": events, **told, "processors": os.cpu_count(),
                      "versions": {name: version(name) for name in ("pyarrow", "numba", "deltalake")}}))  # fmt: skip


if __name__ == "__main__":
    main()
