"""Random ledgers: drawn logs whose calls ended somehow, are known by a key, and are spoken of by many annotations."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec
from hypothesis import strategies as st

from spendgate.model.decision import Position
from spendgate.model.event import Event, EvidenceStatus, Outcome
from spendgate.model.policy import Policy
from spendgate.simulate.job import Source
from tests.engine.scenes import policy
from tests.oracle.documents import Record, to_instant, to_ms
from tests.oracle.drawn_policies import Draw
from tests.recorded import LOG, record
from tests.simulate.drawn_files import write_events
from tests.slow.evaluator import event_of
from tests.strategies import budgets, logs

NO_WORDS: list[None] = [None, None, None]
OUTCOMES = [*["accepted"] * 3, *get_args(Outcome)]
EVIDENCE = list(get_args(EvidenceStatus))
COSTS_NANO_USD = [0, 1, 10**8, 10**9, 4 * 10**9]


@dataclass(frozen=True)
class Drawn:
    """Policies, and a log of events in the order of their positions, one a message."""

    policies: list[Policy]
    records: list[Record]

    @property
    def events(self) -> list[Event]:
        """What the log holds."""
        return [event_of(record) for record in self.records]

    def as_file(self, folder: Path) -> tuple["Drawn", Source]:
        """A file, and the log that it stands for: each event was received at its own time."""
        received = [replace(record, received_at_ms=to_ms(record.body.time)) for record in self.records]
        return Drawn(self.policies, received), Source(events=write_events(folder / "events.jsonl", self.events))

    def as_ledger(self, folder: Path) -> tuple["Drawn", Source]:
        """A ledger as its agent writes it, and the log, which has the broker's times."""
        record(folder, self.records)
        return self, Source(ledger=str(folder))


@st.composite
def _tight_policies(draw: Draw) -> Policy:
    """Budgets that are soon spent: where the two loops, and reviews approved and refused, part."""
    rules = [
        {"budget": draw(budgets()) | {"cap_usd": cap, "on_breach": draw(st.sampled_from(["deny", "review"]))}}
        for cap in draw(st.lists(st.sampled_from(["0.5", "1.5", "3"]), min_size=1, max_size=2))
    ]
    return policy(*rules, name="tight")


@st.composite
def ledgers(draw: Draw, *, messages: int = 30) -> Drawn:
    """Policies, one of them tight, and a drawn log with up to a dozen annotations more."""
    log = draw(logs(activations=False, messages=messages))
    records = [_ended(draw, record) for record in log.records if isinstance(record.body, Event)]
    calls = [record for record in records if event_of(record).kind == "call"]
    for number in range(draw(st.integers(0, 12)) if calls else 0):
        at = draw(st.integers(0, len(records)))
        records.insert(at, _note(draw, number, draw(st.sampled_from(calls)), records[max(0, at - 1)].received_at_ms))
    placed = [replace(each, position=Position(*LOG, place, 0)) for place, each in enumerate(records)]
    return Drawn([*log.documents.values(), draw(_tight_policies())], placed)


def _ended(draw: Draw, record: Record) -> Record:
    event = event_of(record)
    if event.kind == "call":
        key, outcome = draw(st.sampled_from(["key-1", "key-2", None])), draw(st.sampled_from([*NO_WORDS, "accepted"]))
        event = msgspec.structs.replace(event, api_key_id=key, outcome=outcome)
    elif event.kind == "outcome":
        event = msgspec.structs.replace(event, **_ending(draw))
    return replace(record, body=event)


def _note(draw: Draw, number: int, about: Record, received_at_ms: int) -> Record:
    """An annotation about a call, which may come before it or be a repeat."""
    call = event_of(about)
    note = Event(
        id=f"n{number}", source=call.source, tenant=call.tenant, time=to_instant(received_at_ms),
        kind=draw(st.sampled_from(["outcome", "outcome", "correction"])), refers_to=call.id,
    )  # fmt: skip
    said = _ending(draw) if note.kind == "outcome" else {"cost_nano_usd": draw(st.sampled_from(COSTS_NANO_USD))}
    return Record(about.position, received_at_ms, msgspec.structs.replace(note, **said))


def _ending(draw: Draw) -> dict[str, str | None]:
    """What an annotation says of how a call ended; one that says nothing would be refused."""
    outcome = draw(st.sampled_from([None, *OUTCOMES]))
    unsaid = [] if outcome is None else NO_WORDS
    return {"outcome": outcome, "evidence_status": draw(st.sampled_from([*unsaid, *EVIDENCE]))}
