"""The peers of the simulator, each a process: ``python -m bench.simulate_peers duckdb|python|read LEDGER [EVENTS]``."""

import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILES = "events/**/*.parquet"
NANO = 10**9
COLUMNS = ["time", "employee", "team", "model", "cost_nano_usd"]
REPORTED = [*COLUMNS, "kind", "duplicate", "received_at", "input_tokens", "output_tokens", "customer", "workflow",
            "vendor", "api_key_id", "outcome", "evidence_status"]  # fmt: skip
CAPS_USD = {"month": 20_000, "day": 3, "rolling": 4, "quarter": 200_000, "year": 90_000}
_QUERY = """
with event as (select time, employee, team, model, cost_nano_usd as cost from read_parquet('{files}')),
judged as (select cost,
  sum(cost) over (partition by team, date_trunc('month', time at time zone 'Europe/Berlin')
    order by time rows unbounded preceding) as month,
  sum(cost) over (partition by employee, date_trunc('day', time) order by time rows unbounded preceding) as day,
  sum(cost) over (partition by employee order by time
    range between interval 24 hours preceding and current row) as rolling,
  sum(cost) over (partition by date_trunc('quarter', time) order by time rows unbounded preceding) as quarter,
  sum(cost) over (partition by model, date_trunc('year', time) order by time rows unbounded preceding) as year
  from event)
select count(*), sum(cost) from judged where {breached}
"""


def duckdb_open_loop(ledger: str) -> None:
    """The open loop as window functions; the closed loop cannot be said in them."""
    import duckdb

    breached = " or ".join(f"{name} > {cap * NANO}" for name, cap in CAPS_USD.items())
    query = _QUERY.format(files=f"{ledger}/{FILES}", breached=breached)
    sys.stdout.write(f"{duckdb.connect().execute(query).fetchall()}\n")


def plain_python(ledger: str, events: int) -> None:
    """Closed loop with dicts and lists, one event after the other."""
    from zoneinfo import ZoneInfo

    begun = time.perf_counter()
    berlin, denied = ZoneInfo("Europe/Berlin"), 0
    sums: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    rolling: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    caps = {name: cap * NANO for name, cap in CAPS_USD.items()}
    for row in _rows(ledger, events):
        at: datetime = row["time"].astimezone(UTC)
        local, cost = at.astimezone(berlin), row["cost_nano_usd"]
        keys = (
            ("month", row["team"], local.year, local.month), ("day", row["employee"], at.date()),
            ("quarter", at.year, (at.month - 1) // 3), ("year", row["model"], at.year),
        )  # fmt: skip
        bucket = int(at.timestamp() * 1000) // 360_000
        window = [each for each in rolling[row["employee"]] if each[0] > bucket - 240]
        rolling[row["employee"]] = window
        over = sum(each[1] for each in window) + cost > caps["rolling"]
        over = over or any(sums[key] + cost > caps[key[0]] for key in keys)
        denied += over
        if not over:
            window.append((bucket, cost))
            for key in keys:
                sums[key] += cost
    sys.stdout.write(f"{denied} {events / (time.perf_counter() - begun):.0f}\n")


def _files(ledger: str) -> list[str]:
    return [str(path) for path in sorted(Path(ledger).glob(FILES))]


def _rows(ledger: str, events: int) -> list[dict[str, Any]]:
    import pyarrow.dataset as pads

    table = pads.dataset(_files(ledger)).head(events, columns=COLUMNS)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def read_only(ledger: str) -> None:
    """Read the columns that a report reads, and nothing else."""
    import pyarrow.dataset as pads

    rows = 0
    for batch in pads.dataset(_files(ledger)).to_batches(columns=REPORTED):
        rows += batch.num_rows
    sys.stdout.write(f"{rows}\n")


if __name__ == "__main__":
    peer, place = sys.argv[1:3]
    if peer == "duckdb":
        duckdb_open_loop(place)
    elif peer == "python":
        plain_python(place, int(sys.argv[3]))
    else:
        read_only(place)
