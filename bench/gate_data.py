"""A seeded log and what shadow has said of it, straight into a ledger: the events of ``simulate_data``, five budgets.

Decisions are those that a replay of the log owes, written by the function that writes a worker's. A worker's own
engine would take hours for millions of calls of a thousand owners over three months.
"""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from bench.simulate_data import BATCH, seeded_batches
from spendgate.engine.calls import EPOCH
from spendgate.engine.decisions import Source
from spendgate.engine.log_judge import LogJudge
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.columns import EVENTS
from spendgate.ledger.decision_rows import decision_batch_of
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.canonical import policy_hash
from spendgate.model.policy import Policy
from spendgate.reconcile.codes import Codes
from spendgate.reconcile.owed import Owed, Owing
from spendgate.simulate.arrow_columns import columns_of

TOPIC, SAID = ("events-id", 0), ("decisions-id", 0)
SOURCE = Source("spend.events", *TOPIC)
PER_MESSAGE, PART = 100, 10_000
LAG = timedelta(milliseconds=80)


def make_log(root: Path, events: int, policy: Policy) -> Path:
    """The ledger, made once for a number of events."""
    place = root / f"log-{events}"
    if not place.exists():
        unfinished = place.with_name(f"{place.name}-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _write(unfinished, events, policy)
        unfinished.rename(place)
    return place


def _write(place: Path, events: int, policy: Policy) -> None:
    table, name = LedgerTable(place), policy_hash(policy)
    judge, said = LogJudge({name: policy}), 0
    owing = Owing("acme", SOURCE, judge, Codes())
    for number, batch in enumerate(seeded_batches(events)):
        batch = _placed(batch, number * (BATCH // PER_MESSAGE) + 1)
        if not number:
            begun_ms = batch["received_at"][0].cast(pa.int64()).as_py()
            begun = _staged(policy, name, begun_ms)
            table.append("activations", [activation_batch_of([begun])], TOPIC, 0, first_offset=0)
            judge.activate(begun.activation, 0, begun_ms)
        last = batch["offset"][-1].as_py()
        table.append("events", [batch], TOPIC, last, first_offset=0 if not number else None)
        owed = owing.of(batch, judge.judge(columns_of(batch, judge.names)))
        rows = [_said(owing, owed, part, said + part.start) for part in _parts(batch.num_rows)]
        said += batch.num_rows
        table.append("decisions", rows, SAID, (said - 1) // PER_MESSAGE, first_offset=0 if not number else None)


def _parts(rows: int) -> Iterator[range]:
    """Some at a time: a million decisions with their reasons are gigabytes."""
    for start in range(0, rows, PART):
        yield range(start, min(start + PART, rows))


def _said(owing: Owing, owed: Owed, part: range, first: int) -> Any:
    """Decisions as the log has them, a message a hundred."""
    rows = np.arange(part.start, part.stop)
    made_at = [EPOCH + timedelta(milliseconds=ms) + LAG for ms in owed.received_ms[rows].tolist()]
    decisions = [
        msgspec.structs.replace(each, decided_at=at)
        for each, at in zip(owing.decisions(owed, rows), made_at, strict=True)
    ]
    places = [Place(*SAID, n // PER_MESSAGE, n % PER_MESSAGE, at) for n, at in enumerate(made_at, first)]
    return decision_batch_of(decisions, places)


def _placed(batch: Any, first: int) -> Any:
    """The rows as a log has them, a message a hundred."""
    numbers = np.arange(batch.num_rows)
    columns = {
        "topic_id": pa.array([TOPIC[0]] * batch.num_rows),
        "partition": pa.array(np.full(batch.num_rows, TOPIC[1], np.int32)),
        "offset": pa.array(first + numbers // PER_MESSAGE),
        "index": pa.array((numbers % PER_MESSAGE).astype(np.int32)),
        "received_at": batch["time"].cast(pa.timestamp("ms", "UTC"), safe=False),
    }
    arrays = [columns.get(field.name, batch[field.name]).cast(field.type) for field in EVENTS]
    return pa.RecordBatch.from_arrays(arrays, schema=EVENTS)


def _staged(policy: Policy, name: str, at_ms: int) -> PlacedActivation:
    at = EPOCH + timedelta(milliseconds=at_ms)
    begun = Activation(kind="activation", id="act-1", tenant="acme", time=at, action="stage", staging="stg-1",
                       policy=policy.metadata.name, hash=name)  # fmt: skip
    return PlacedActivation(Place(*TOPIC, 0, 0, at), begun, encode_activation(begun))
