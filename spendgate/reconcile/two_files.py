"""A ledger out of two exported files, events and decisions, so that they can be reconciled where no server runs.

The exports of a ledger say where each event stood and what each decision says. What was staged is found from the
decisions, where each staging is named by one of them at least, under the default settings; else exported activations
tell. Whether the log holds more than the files nobody knows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.calls import EPOCH
from spendgate.ledger.activation_documents import read_activations
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.columns import EVENTS
from spendgate.ledger.decision_rows import decision_batch_of
from spendgate.ledger.delta_reader import Ledger
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place
from spendgate.ledger.reader_problem import InputError
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.policy import Policy
from spendgate.reconcile.exported import exported_decisions, exported_events
from spendgate.reconcile.stagings_said import Seen, Step

SAID = "decisions"
"""Stands for the id of the topic on which decisions stood: which it was does not matter."""


class TwoFiles(NamedTuple):
    """Where they are: Parquet by the ending, else JSON lines, as ``spendgate export`` writes both. ``activations``:
    JSON lines; None where the decisions are to tell."""

    events: Path
    decisions: Path
    activations: Path | None = None


def ledger_of(files: TwoFiles, tenant: str | None, policies: Mapping[str, Policy], folder: Path) -> tuple[Ledger, str]:
    """A ledger in ``folder`` of what the files hold of one tenant, and that tenant; without a name, the only one.

    Raises InputError for what is no export, or of several tenants; OSError.
    """
    table, seen = LedgerTable(folder), Seen(policies)
    tenant = _write_decisions(table, files.decisions, tenant, seen)
    told = None if files.activations is None else _told(files.activations, tenant)
    steps = list(seen.steps()) if told is None else []
    until = max((each.place.offset or 0 for each in told or ()), default=0)
    source, received = _write_events(table, files.events, tenant, [step.call for step in steps], until)
    if steps and steps[0].offset < 0:
        raise InputError("events: expected those from the beginning of the log: something was staged before them")
    for each in told or [_activation(step, source, tenant, received.get(step.call, EPOCH)) for step in steps]:
        at = each.place.offset or 0
        table.append("activations", [activation_batch_of([each])], source, at, first_offset=0)
    return Ledger.open(folder), tenant


def _told(path: Path, tenant: str) -> list[PlacedActivation]:
    with path.open("rb") as lines:
        return list(read_activations(lines, tenant))


def _activation(step: Step, source: tuple[str, int], tenant: str, at: datetime) -> PlacedActivation:
    staging = step.staging
    activation = Activation(
        kind="activation", id=f"step-{step.offset}", tenant=tenant, time=at, action=step.action,
        staging=staging.staging,
    )  # fmt: skip
    if step.action == "stage":
        begun = {"policy": staging.policy, "hash": staging.hash, "stage": staging.stage}
        activation = msgspec.structs.replace(activation, **begun)
    return PlacedActivation(Place(*source, step.offset, 0, at), activation, encode_activation(activation))


# Decisions


def _write_decisions(table: LedgerTable, path: Path, tenant: str | None, seen: Seen) -> str:
    """Those of one tenant, in the order of the file; that tenant."""
    source, taken = (SAID, 0), 0
    for part in exported_decisions(path):
        tenant = _one_of({each.tenant for each in part}, tenant)
        mine = [each for each in part if each.tenant == tenant]
        for each in mine:
            seen.take(each)
        places = [Place(*source, taken + n, 0, each.decided_at) for n, each in enumerate(mine)]
        taken += len(mine)
        if mine:
            table.append("decisions", [decision_batch_of(mine, places)], source, taken - 1, first_offset=0)
    if tenant is None or not taken:
        raise InputError("decisions: expected some, of the tenant that is asked for")
    return tenant


def _one_of(found: set[str], wanted: str | None) -> str | None:
    if wanted is not None or not found:
        return wanted
    if len(found) > 1:
        raise InputError("tenant: expected --tenant, as the files are of several")
    return found.pop()


# Events


def _write_events(
    table: LedgerTable, path: Path, tenant: str, calls: Sequence[int], until: int
) -> tuple[tuple[str, int], dict[int, datetime]]:
    """Those of one tenant that stood in a log; whose partition, and when the broker took the records at some offsets.
    The ledger covers the log to ``until`` at least: an activation may stand behind the last event.

    Raises InputError where they are of several partitions: a tenant has one.
    """
    source: tuple[str, int] | None = None
    received: dict[int, datetime] = {}
    held: Any = EVENTS.empty_table()
    for batch in exported_events(path):
        logged = pc.and_(pc.equal(batch["tenant"], tenant), pc.is_valid(batch["offset"]))
        held = pa.concat_tables([held, pa.Table.from_batches([batch]).filter(logged)])
        if not held.num_rows:
            continue
        source = _source_of(held, source)
        received |= _received(held, calls)
        last = held["offset"][-1].as_py()
        whole = pc.less(held["offset"], last)  # the last message may go on in the next batch
        _append(table, held.filter(whole), source, last - 1)
        held = held.filter(pc.invert(whole))
    if source is None:
        raise InputError("events: expected some of the log, with their positions, of the tenant that is asked for")
    _append(table, held, source, max(until, held["offset"][-1].as_py()))
    return source, received


def _append(table: LedgerTable, rows: Any, source: tuple[str, int], last: int) -> None:
    if rows.num_rows:
        table.append("events", rows.to_batches(), source, last, first_offset=0)


def _source_of(rows: Any, known: tuple[str, int] | None) -> tuple[str, int]:
    found = _pairs(rows) | ({known} if known else set())
    if len(found) != 1:
        raise InputError("events: expected all of the tenant's to be of one partition")
    return found.pop()


def _pairs(rows: Any) -> set[tuple[str, int]]:
    distinct = rows.select(["topic_id", "partition"]).group_by(["topic_id", "partition"]).aggregate([])
    return set(zip(distinct["topic_id"].to_pylist(), distinct["partition"].to_pylist(), strict=True))


def _received(rows: Any, calls: Sequence[int]) -> dict[int, datetime]:
    found = rows.filter(pc.is_in(rows["offset"], pa.array(calls, pa.int64())))
    return dict(zip(found["offset"].to_pylist(), found["received_at"].to_pylist(), strict=True))
