"""``python -m dev.faults``: the fault matrix. The last line on standard output is one JSON object.

Every result is kept as it comes, and found again by the next call: ``--fresh`` makes all anew. Everything but the last
line goes to standard error. Exit code 0: all goals are met; 1: one is not, or a run failed; 2: wrong usage.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from kafka.errors import KafkaError
from redis import Redis
from redis.exceptions import RedisError
from rich.console import Console

from dev.errors import StackError
from dev.faults.arena import Servers
from dev.faults.enforced import ACTS, overshoot
from dev.faults.fault import Fault
from dev.faults.registry import FAULTS
from dev.faults.results import PARTS, Part, Results, line
from dev.faults.run import Spot, made_anew, run_obvious, run_ours
from dev.faults.score import Overshoot, Score
from dev.faults.table import write
from dev.faults.versions import versions
from dev.interrupts import endings_as_interrupts
from dev.places import home
from dev.trial.waiting import Late

EVENTS, OBVIOUS_EVENTS = 100_000, 20_000
_console = Console(stderr=True, width=150)


def _say(text: str) -> None:
    _console.print(text, highlight=False, markup=False)


def _chosen(names: str) -> list[Fault]:
    wanted = [name for name in names.replace(",", " ").split() if name]
    for name in wanted:
        if name not in FAULTS:
            raise typer.BadParameter(f"expected some of {' '.join(FAULTS)}", param_hint="--fault")
    return [FAULTS[name] for name in wanted or FAULTS]


def _seeds(text: str) -> list[int]:
    try:
        return sorted({int(each) for each in text.replace(",", " ").split()})
    except ValueError:
        raise typer.BadParameter("expected whole numbers, such as 1,2", param_hint="--seeds") from None


def _parts(names: str) -> list[Part]:
    wanted = names.replace(",", " ").split()
    if not set(wanted) <= set(PARTS):
        raise typer.BadParameter(f"expected some of {' '.join(PARTS)}", param_hint="--parts")
    return [part for part in PARTS if part in wanted or not wanted]


def run_all(
    faults: Sequence[Fault],
    seeds: Sequence[int],
    events: int,
    results: Results,
    parts: Sequence[Part],
    *,
    fresh: bool,
) -> list[str]:
    """Run what has no result yet; returns what failed, each in a line."""
    left = [
        (part, fault, seed)
        for part in parts
        for seed in seeds
        for fault in faults
        if _fits(part, fault) and (fresh or not results.has(fault.name, seed, part))
    ]
    failed: list[str] = []
    with endings_as_interrupts(), Spot(_say) as spot:
        for number, (part, fault, seed) in enumerate(left):
            _say(f"{number + 1} of {len(left)}: {fault.name}, seed {seed}, {part}: {fault.title}")
            try:
                results.keep(fault.name, seed, part, _run(part, fault, seed, events, spot.servers()))
            except (Late, StackError, KafkaError, RedisError, OSError) as error:
                spot.leave()
                failed.append(f"{fault.name}, seed {seed}, {part}: {str(error).splitlines()[0]}")
                _say(f"  failed: {error}")
    return failed


def _fits(part: Part, fault: Fault) -> bool:
    """Whether a fault has that part."""
    return {"ours": True, "obvious": fault.fits_obvious, "enforced": fault.name in ACTS}[part]


def _run(part: Part, fault: Fault, seed: int, events: int, on: Servers) -> Score | Overshoot:
    """Run one part, and say what came of it."""
    begun = time.monotonic()
    found: Score | Overshoot
    if part == "enforced":
        found = overshoot(ACTS[fault.name], seed, on, made_anew(on))
    elif part == "obvious":
        found = run_obvious(fault, seed, min(events, OBVIOUS_EVENTS), on)
    else:
        found = run_ours(fault, seed, events, on)
        found.versions = versions(_redis_version(on))
    found.took_s = round(time.monotonic() - begun, 1)
    shown = {name: value for name, value in msgspec.to_builtins(found).items() if name != "versions"}
    _say(f"  {part}: {json.dumps(shown)}")
    return found


def _redis_version(on: Servers) -> str:
    with Redis.from_url(on.redis.url) as redis:
        return str(redis.info("server")["redis_version"])


def _unmet(name: str, found: dict[str, Any]) -> list[str]:
    zero = ("wrong_decisions", "events_lost", "events_doubled", "decisions_differing", "counter_error_nano_usd",
            "overshoot_nano_usd")  # fmt: skip
    missed = [f"{name}: {field} is {found[field]}" for field in zero if found[field]]
    return missed + ([] if found["cause_named"] else [f"{name}: the cause is not named"])


def main(
    fault: Annotated[str, typer.Option(help="Names, by commas; all if none.")] = "",
    parts: Annotated[str, typer.Option(help="Of each: ours, enforced, obvious, by commas; all if none.")] = "",
    seeds: Annotated[str, typer.Option(help="Whole numbers, by commas.")] = "1,2",
    events: Annotated[int, typer.Option(min=1000, help="Of each run.")] = EVENTS,
    fresh: Annotated[bool, typer.Option("--fresh", help="Use no result of before.")] = False,
    table: Annotated[Path | None, typer.Option(help="Write the table there, from all results.")] = None,
    only_table: Annotated[bool, typer.Option("--only-table", help="Run nothing.")] = False,
) -> None:
    """Put the system through faults under load, beside the obvious design."""
    begun, chosen = time.monotonic(), _chosen(fault)
    results = Results(home() / "faults", events)
    failed = [] if only_table else run_all(chosen, _seeds(seeds), events, results, _parts(parts), fresh=fresh)
    found = {each.name: line(each, of) for each in chosen if (of := results.of(each.name))}
    unmet = [text for name, one in found.items() for text in _unmet(name, one)]
    if table is not None:
        write(table, home() / "faults")
    for text in (*failed, *unmet):
        _say(text)
    _say(f"{len(found)} faults, {len(unmet)} goals missed, {len(failed)} runs failed; {time.monotonic() - begun:.0f} s")
    sys.stdout.write(json.dumps({"events": events, "faults": found, "unmet": unmet, "failed": failed}) + "\n")
    if failed or unmet:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
