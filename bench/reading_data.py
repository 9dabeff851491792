"""A seeded ledger for the bench of reading: a month of calls and their decisions, as the agents write and join them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import msgspec

from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.decisions import Source
from spendgate.engine.seed import Acceptance
from spendgate.ledger.activation_rows import PlacedActivation, activation_batch_of
from spendgate.ledger.decision_rows import decision_batch_of
from spendgate.ledger.delta_compact import compact
from spendgate.ledger.delta_writer import LedgerTable
from spendgate.ledger.event_rows import Place, logged_batch
from spendgate.ledger.sample import HOUR_S, busy_hour
from spendgate.model.activation import Activation, encode_activation
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.replay import LogReplay

TENANT = "acme"
START = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = 30
LOG, SAID = ("bench-events", 0), ("bench-decisions", 0)
PER_MESSAGE, PER_COMMIT = 100, 10_000
TOPIC = "spend.events"


def make_ledger(root: Path, events: int, policies: Sequence[Policy]) -> Path:
    """The ledger, made once for a number of events; the last tenth of its commits stays as the agents wrote it."""
    place = root / f"reading-{events}"
    if not place.exists():
        _write(place.with_suffix(".part"), events, policies)
        place.with_suffix(".part").rename(place)
    return place


def _write(place: Path, events: int, policies: Sequence[Policy]) -> None:
    table, offset, commits = LedgerTable(place), 0, -(-events // PER_COMMIT)
    judge = LogReplay(Source(TOPIC, *LOG), {policy_hash(each): each for each in policies}, START, lambda *_: ())
    accepted = Acceptance(TENANT)
    activations = [_staged(each, at) for at, each in enumerate(policies)]
    for each in activations:
        judge.pass_activation(each.activation, each.place.offset or 0, time_ms(START))
        accepted.pass_activation(each.activation, time_ms(START))
        offset += 1
    table.append("activations", [activation_batch_of(activations)], LOG, offset - 1)
    said, flow = 0, _month(events)
    for commit in range(commits):
        if commit == commits * 9 // 10:
            compact(place, "events")
            compact(place, "decisions")
        calls = _messages(list(islice(flow, PER_COMMIT)), offset)
        places = calls.offsets, calls.indexes, calls.received_ms
        batch = logged_batch(LOG, places, accepted.duplicates(calls), calls.events)
        first, offset = offset, calls.offsets[-1] + 1
        table.append("events", [batch], LOG, offset - 1, first_offset=first)
        said = _append_decisions(table, judge.pass_calls(TENANT, calls), said, calls.received_ms[-1])


def _staged(policy: Policy, offset: int) -> PlacedActivation:
    name = policy.metadata.name
    activation = Activation(
        kind="activation", id=f"a-{name}", tenant=TENANT, time=START, action="stage", staging=f"s-{name}",
        policy=name, hash=policy_hash(policy),
    )  # fmt: skip
    return PlacedActivation(Place(*LOG, offset, 0, START), activation, encode_activation(activation))


def _month(events: int) -> Iterator[Event]:
    """A busy hour stretched over DAYS days."""
    for each in busy_hour(events, 7, START, TENANT):
        yield msgspec.structs.replace(each, time=START + (each.time - START) * (DAYS * 86_400 / HOUR_S))


def _messages(events: Sequence[Event], offset: int) -> Calls:
    calls = Calls()
    for at in range(0, len(events), PER_MESSAGE):
        packed = events[at : at + PER_MESSAGE]
        calls.add_message(offset, max(time_ms(each.time) for each in packed) + 50, list(range(len(packed))), packed)
        offset += 1
    return calls


def _append_decisions(table: LedgerTable, decisions: Sequence[Decision], first: int, received_ms: int) -> int:
    """Returns the offset after them."""
    at, last = START + timedelta(milliseconds=received_ms - time_ms(START)), first
    places = []
    for n in range(len(decisions)):
        last = first + n // PER_MESSAGE
        places.append(Place(*SAID, last, n % PER_MESSAGE, at))
    table.append("decisions", [decision_batch_of(decisions, places)], SAID, last, first_offset=first)
    return last + 1
