"""Drawn logs as files of events, and what the recount says of them when it reads them as the simulator does."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Position
from spendgate.model.event import Event, encode_events
from spendgate.model.policy import Policy
from spendgate.simulate.job import Job, Source, run_job
from spendgate.simulate.run import Options
from tests.oracle.documents import OracleDecision, Record, to_ms
from tests.oracle.matching import in_scope
from tests.oracle.oracle import Oracle
from tests.strategies import Log

BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)


def simulate_file(policies: Sequence[Policy], path: Path, rows: Path | None = None) -> dict[str, Any]:
    """The report on a file whose corrections are left alone."""
    options = Options(as_recorded=True)
    return run_job(Job(["spendgate"], policies, Source(events=path), options=options, decisions=rows))


def events_of(log: Log) -> list[Event]:
    """What the log holds besides activations."""
    return [record.body for record in log.records if isinstance(record.body, Event)]


def write_events(path: Path, events: Sequence[Event]) -> Path:
    """A file of one event a line."""
    path.write_bytes(b"".join(encode_events(event) + b"\n" for event in events))
    return path


class Reading:
    """Stands for a reading of a file: gives what it is told to."""

    def __init__(self, items: Iterable[Event]) -> None:
        self.items = items
        self.dropped: list[str] = []

    def __iter__(self) -> Iterator[Event]:
        return iter(self.items)

    def parts(self, size: int) -> Iterator[list[Event]]:
        items = iter(self.items)
        while part := list(islice(items, size)):
            yield part

    def __enter__(self) -> "Reading":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


def recount(policies: Sequence[Policy], events: Sequence[Event]) -> list[tuple[Event, OracleDecision]]:
    """Each call that is no duplicate and what is said of it, in the order of the file.

    Every policy is staged before all, all reasons are asked for, and the broker took an event at its own time.
    """
    documents = {policy_hash(policy): policy for policy in policies}
    oracle = Oracle(documents)
    for tenant in sorted({event.tenant for event in events}):
        for n, body in enumerate(_beginning(tenant, documents)):
            oracle.feed(Record(Position("file", 0, n, 0), to_ms(BEFORE_ALL), body))
    found = [
        (event, oracle.feed(Record(Position("file", 0, n, 0), to_ms(event.time), event)))
        for n, event in enumerate(events)
    ]
    return [(event, decision) for event, decision in found if decision is not None]


def _beginning(tenant: str, documents: Mapping[str, Policy]) -> list[Activation]:
    plain = Activation(kind="activation", id="settings", tenant=tenant, time=BEFORE_ALL, action="settings",
                       settings=SettingsChange(reasons="all"))  # fmt: skip
    staged = [
        msgspec.structs.replace(plain, id=digest, action="stage", staging=digest, hash=digest,
                                policy=policy.metadata.name, settings=None)
        for digest, policy in documents.items()
    ]  # fmt: skip
    return [plain, *staged]


def matching(policies: Sequence[Policy], event: Event) -> list[str]:
    """The names of the policies that look at the event."""
    return [policy.metadata.name for policy in policies if in_scope(policy.spec.scope, event)]
