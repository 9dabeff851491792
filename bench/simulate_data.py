"""A seeded history straight into a ledger: 1,000 employees, 50 teams, 20 models, heavy-tailed costs, 90 days."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from spendgate.ledger.columns import EVENTS
from spendgate.ledger.delta_import import import_batches

START_US = 1_760_000_000_000_000
SPAN_US = 90 * 86_400 * 1_000_000
BATCH = 500_000
EMPLOYEES, TEAMS, MODELS = 1000, 50, 20


def make_ledger(root: Path, events: int) -> Path:
    """The ledger, made once for a number of events."""
    place = root / f"ledger-{events}"
    if not place.exists():
        import_batches(str(place), seeded_batches(events), f"{events:064x}")
    return place


def seeded_batches(events: int) -> Iterator[pa.RecordBatch]:
    """So many calls, ``BATCH`` at a time."""
    rng, step = np.random.default_rng(1), SPAN_US // events
    employees, teams, models = (
        pa.array([f"{letter}{n:04}" for n in range(count)])
        for letter, count in (("e", EMPLOYEES), ("t", TEAMS), ("m", MODELS))
    )
    for first in range(0, events, BATCH):
        count = min(BATCH, events - first)
        numbers = np.arange(first, first + count)
        employee = rng.integers(0, EMPLOYEES, count)
        columns = {
            "id": pa.array([f"c{n}" for n in numbers.tolist()]),
            **{name: pa.array([text] * count) for name, text in _SAME.items()},
            "time": pa.array(START_US + numbers * step, pa.timestamp("us", "UTC")),
            "duplicate": pa.array(np.zeros(count, np.bool_)),
            "employee": employees.take(pa.array(employee)),
            "team": teams.take(pa.array(employee % TEAMS)),
            "model": models.take(pa.array(rng.integers(0, MODELS, count))),
            "cost_nano_usd": pa.array((rng.pareto(1.5, count) * 5e6).astype(np.int64)),
        }
        arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in EVENTS]
        yield pa.RecordBatch.from_arrays(arrays, schema=EVENTS)


_SAME = {"source": "app", "tenant": "acme", "kind": "call", "vendor": "openai"}
