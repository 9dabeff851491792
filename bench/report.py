"""What the runs came to: medians, ratios, targets, and a table to read them in."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from statistics import median
from typing import Any

from rich.table import Table

from bench.measure import Speed, Waits

Speeds = Mapping[str, Sequence[Speed]]

TARGETS: dict[str, float] = {
    "single_vs_noop": 1.5,
    "packed_vs_noop": 8.0,
    "packed_vs_obvious": 40.0,
    "staged_1000_vs_10": 0.9,
}
_RATIOS = {
    "single_vs_noop": ("single", "noop"),
    "packed_vs_noop": ("packed", "noop"),
    "packed_vs_obvious": ("packed", "obvious"),
    "staged_1000_vs_10": ("packed_staged", "packed"),
    "staged_1000_vs_10_single": ("single_staged", "single"),
    "workers_2_vs_1": ("workers_2", "workers_1"),
    "single_vs_noop_one_partition": ("single", "noop_one_partition"),
    "packed_vs_noop_one_partition": ("packed", "noop_one_partition"),
}
_PACKAGES = ("faust-streaming", "mode-streaming", "aiokafka", "uvloop", "msgspec", "numba", "numpy")
_FULL = 0.9
"""Of all processors: from here on they are what limits."""
_OTHERS = 0.2
"""Processors: from here on, what else runs on the machine bends the rates."""


def ratios(speeds: Speeds) -> dict[str, float]:
    """Ratios of median rates."""
    rates = {name: median(run.per_second for run in runs) for name, runs in speeds.items()}
    return {name: round(rates[one] / rates[other], 3) for name, (one, other) in _RATIOS.items()}


def rates(speeds: Speeds) -> dict[str, dict[str, Any]]:
    """By contestant: events a second (median, least, most), and the processors used in the median run."""
    return {name: _rate(runs) for name, runs in speeds.items()}


def _rate(runs: Sequence[Speed]) -> dict[str, Any]:
    ordered = sorted(runs, key=lambda run: run.per_second)
    found = [run.per_second for run in ordered]
    return {
        "events_per_second": round(median(found)),
        "min": round(found[0]),
        "max": round(found[-1]),
        "cores": ordered[len(ordered) // 2].cores,
    }


def latencies(waited: Mapping[str, Waits]) -> dict[str, dict[str, float]]:
    """By contestant, with what was offered."""
    return {name: {field: round(value, 1) for field, value in asdict(waits).items()} for name, waits in waited.items()}


def versions(broker: str, redis: str) -> dict[str, str]:
    """Everything that the numbers depend on, as far as it has a version."""
    found = {name: version(name) for name in _PACKAGES}
    return {
        "python": platform.python_version(),
        "processors": str(os.cpu_count()),
        "kafka": broker,
        "redis": redis,
        "redis-py": version("redis"),
        **found,
    }


def missed(found: Mapping[str, float]) -> dict[str, str]:
    """The targets that were not reached."""
    return {name: f"{found[name]} of {wanted}" for name, wanted in TARGETS.items() if found[name] < wanted}


def limit(speeds: Speeds) -> str:
    """What limits two workers, by the processors that were in use meanwhile."""
    runs = sorted(speeds["workers_2"], key=lambda run: run.per_second)
    cores = runs[len(runs) // 2].cores
    if "machine" not in cores:
        return "unknown: no /proc on this system"
    count = os.cpu_count() or 1
    busy = f"{cores['machine']:.2f} of {count} processors in use ({_used(cores)})"
    if cores["machine"] >= _FULL * count:
        return f"the processors, which workers, Kafka, Redis and all else share: {busy}"
    return f"not the processors: {busy}; a worker waits for Kafka and Redis, step by step"


def disturbed(speeds: Speeds) -> float:
    """Processors that other programs used, in the mean of all runs; 0 where that is too little to matter."""
    found = [run.cores.get("other", 0.0) for runs in speeds.values() for run in runs]
    mean = sum(found) / len(found)
    return round(mean, 2) if mean >= _OTHERS else 0.0


def _used(cores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {used:.2f}" for name, used in cores.items() if name != "machine")


def table(found: Mapping[str, Mapping[str, Any]], waited: Mapping[str, Mapping[str, float]]) -> Table:
    """Rates and latencies side by side."""
    made = Table(title="events a second; event to decision in ms; processors used", title_justify="left")
    for head in ("", "median", "min", "max", "p50", "p99", "offered", "processors"):
        made.add_column(head, justify="left" if head in ("", "processors") else "right", no_wrap=head != "processors")
    for name, rate in found.items():
        waits = waited.get(name, {})
        made.add_row(
            name,
            *(f"{rate[field]:,}" for field in ("events_per_second", "min", "max")),
            *(f"{waits[field]:,.0f}" if waits else "" for field in ("p50_ms", "p99_ms", "offered_per_second")),
            _used(rate["cores"]),
        )
    return made
