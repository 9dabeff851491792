"""A seeded log and what shadow has said of it, straight into a ledger: the events of ``simulate_data``, five budgets.

Decisions are made by the engine of the live path, record by record, as a worker makes them.
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
from spendgate.engine.calls import EPOCH, Calls
from spendgate.engine.decisions import Source
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.columns import EVENTS
from spendgate.ledger.decision_rows import decision_batch_of
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place, events_of
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from spendgate.simulate.replay import LogReplay

TOPIC, SAID = ("events-id", 0), ("decisions-id", 0)
SOURCE = Source("spend.events", *TOPIC)
PER_MESSAGE = 100
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
    replay = LogReplay(SOURCE, {name: policy}, EPOCH)
    said = 0
    for number, batch in enumerate(seeded_batches(events)):
        batch = _placed(batch, number * (BATCH // PER_MESSAGE) + 1)
        received_ms = batch["received_at"].cast(pa.int64()).to_pylist()
        if not number:
            begun = _staged(policy, name, received_ms[0])
            table.append("activations", [activation_batch_of([begun])], TOPIC, 0, first_offset=0)
            replay.pass_activation(begun.activation, 0, received_ms[0])
        last = batch["offset"][-1].as_py()
        table.append("events", [batch], TOPIC, last, first_offset=0 if not number else None)
        decisions = list(_decided(replay, batch, received_ms))
        places = [
            Place(*SAID, (said + n) // PER_MESSAGE, (said + n) % PER_MESSAGE, each.decided_at)
            for n, each in enumerate(decisions)
        ]
        said += len(decisions)
        table.append("decisions", [decision_batch_of(decisions, places)], SAID, (said - 1) // PER_MESSAGE,
                     first_offset=0 if not number else None)  # fmt: skip


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


def _decided(replay: LogReplay, batch: Any, received_ms: list[int]) -> Iterator[Decision]:
    offsets, indexes, events = batch["offset"].to_pylist(), batch["index"].to_pylist(), events_of(batch)
    for start in range(0, len(events), 10_000):
        part = slice(start, start + 10_000)
        calls = Calls(offsets[part], indexes[part], received_ms[part], events[part])
        at = EPOCH + timedelta(milliseconds=received_ms[start]) + LAG
        for decision in replay.pass_calls("acme", calls):
            yield msgspec.structs.replace(decision, decided_at=at)
