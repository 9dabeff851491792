"""``make bench-simulate``: the simulator beside DuckDB, plain Python and bare reading, on one ledger, in one run.

Every side is a process, timed from its start to its finished report; the last line is one JSON object.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.simulate_data import make_ledger

RULES = [
    ("month", "20000", {"calendar": "month", "timezone": "Europe/Berlin"}, ["team"]),
    ("day", "3", {"calendar": "day"}, ["employee"]),
    ("rolling", "4", {"rolling": "24h"}, ["employee"]),
    ("quarter", "200000", {"calendar": "quarter"}, []),
    ("year", "90000", {"calendar": "year"}, ["model"]),
]
PYTHON_EVENTS = 200_000


def policy(name: str, scope: dict[str, list[str]] | None = None) -> str:
    """The five rules as one policy."""
    rules = [
        {"budget": {"cap_usd": cap, "window": window, "per": per, "on_breach": "deny"}} for _, cap, window, per in RULES
    ]
    spec = {"rules": rules, **({"scope": scope} if scope else {})}
    return json.dumps({"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": name}, "spec": spec})


def timed(command: list[str], rounds: int) -> float:
    """Seconds of the fastest of some runs; raises CalledProcessError."""
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found.append(time.perf_counter() - begun)
    print(f"{' '.join(command[-4:])[:100]}: {min(found):.2f} s of {[round(each, 2) for each in found]}")
    return min(found)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulate")
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--quick", action="store_true", help="1 million events, one round")
    parser.add_argument("--keep", type=Path, help="a folder for the generated ledger")
    wish = parser.parse_args()
    events, rounds = (1_000_000, 1) if wish.quick else (wish.events, 3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ledger = str(make_ledger(wish.keep or folder, events))
        print(json.dumps(_compare(folder, ledger, events, rounds)))


def _compare(folder: Path, ledger: str, events: int, rounds: int) -> dict[str, object]:
    simulate = [str(Path(sys.executable).with_name("spendgate")), "simulate", "--ledger", ledger, "--json"]
    peers = [sys.executable, "-m", "bench.simulate_peers"]
    five = _policy(folder, "five")
    unmatched = [_policy(folder, f"other-{n}", {"team": [f"nobody-{n}"]}) for n in range(95)]
    matched = [_policy(folder, f"matched-{n}") for n in range(5)]
    cold = _cold([*simulate, "--policy", five], folder)
    timed([*simulate, "--policy", five], 1)  # fills the compiler's cache
    ours = timed([*simulate, "--policy", five], rounds)
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    plain = _plain([simulate[0], "simulate", "--json", "--policy", five], ledger, folder)
    sweep = timed([*simulate, "--policy", five, "--sweep", "five/1.cap=0.25:10:0.25"], 1)
    few = timed([*simulate, *_options(matched)], 1)
    many = timed([*simulate, *_options(matched + unmatched)], 1)
    read = timed([*peers, "read", ledger], rounds)
    duckdb = timed([*peers, "duckdb", ledger], 1)
    sample = min(events, PYTHON_EVENTS)
    told = subprocess.run([*peers, "python", ledger, str(sample)], check=True, capture_output=True, text=True)
    python_rate = float(told.stdout.split()[-1])
    return {
        "ratios": {
            "vs_duckdb": round(duckdb / ours, 2),
            "vs_python": round(events / ours / python_rate, 1),
            "vs_read_only": round(read / ours, 3),
            "sweep_40_vs_1": round(sweep / ours, 2),
            "policies_100_vs_5": round(many / few, 2),
        },
        "events_per_s": round(events / ours),
        "peak_rss_mb": peak_kb // 1024,
        "events": events,
        "seconds": {
            "spendgate": ours,
            "sweep_40": sweep,
            "read_only": read,
            "duckdb": duckdb,
            "cold_start": cold,
            "plain_parquet_with_duplicate_check": plain,
        },
        "python_events_per_s": python_rate,
        "versions": {name: version(name) for name in ("duckdb", "pyarrow", "numba", "deltalake")},
        "processors": os.cpu_count(),
        "command": " ".join(["python", "-m", "bench.simulate", *sys.argv[1:]]),
    }


def _cold(command: Sequence[str], folder: Path) -> float:
    """With nothing compiled yet."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "jit")})
    return round(time.perf_counter() - begun, 2)


def _plain(command: Sequence[str], ledger: str, folder: Path) -> float:
    """The same events from one Parquet file, where duplicates are not marked and have to be found."""
    file = folder / "plain.parquet"
    export = [command[0], "ledger", "export", "--ledger", ledger, str(file)]
    if not file.exists():
        subprocess.run(export, check=True, capture_output=True)
    return timed([*command, "--events", str(file)], 1)


def _policy(folder: Path, name: str, scope: dict[str, list[str]] | None = None) -> str:
    path = folder / f"{name}.json"
    path.write_text(policy(name, scope), encoding="utf-8")
    return str(path)


def _options(policies: list[str]) -> list[str]:
    return [word for path in policies for word in ("--policy", path)]


if __name__ == "__main__":
    main()
