"""Simulation over a file of events, in its first form: totals by verdict, and every call's verdict by policy.

A file's events have no broker's time, so ``received_at`` is the event's own time; the file's order is the log's.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.decisions import Source
from spendgate.ledger.reader_options import ReadOptions
from spendgate.ledger.readers import read_events
from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import Decision, Verdict
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from spendgate.simulate.replay import LogReplay
from spendgate.simulate.rows import DecisionRows

CHUNK = 5000
BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)
_AT = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Report:
    """Totals by the worst verdict of each call; money in nano-USD. ``refused``: rows that could not be read."""

    policies: dict[str, str]
    calls: int = 0
    duplicates: int = 0
    refused: int = 0
    events: Counter[Verdict] = field(default_factory=Counter)
    nano_usd: Counter[Verdict] = field(default_factory=Counter)

    def add(self, decision: Decision) -> None:
        """Count one decision."""
        self.calls += 1
        self.events[decision.verdict] += 1
        self.nano_usd[decision.verdict] += decision.cost_nano_usd or 0

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` prints it; ``policies``: name to hash."""
        return {
            "policies": self.policies,
            "calls": self.calls,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "verdicts": dict(sorted(self.events.items())),
            "cost_nano_usd": dict(sorted(self.nano_usd.items())),
        }


def simulate_file(
    policies: Sequence[Policy], events: Path, options: ReadOptions, decisions: Path | None = None
) -> Report:
    """Judge a file's events by ``policies``; ``decisions`` is written as Parquet, whole or not at all.

    Raises InputError for a file that cannot be read as events, and OSError.
    """
    by_hash = {policy_hash(policy): policy for policy in policies}
    report = Report({policy.metadata.name: digest for digest, policy in by_hash.items()})

    def refuse(_: object) -> None:
        report.refused += 1

    read = read_events(events, options, refuse)
    if decisions is None:
        _judge(read, by_hash, report, lambda _: None)
    else:
        with DecisionRows(decisions, policies) as rows:
            _judge(read, by_hash, report, rows.add)
    return report


def _judge(
    events: Iterable[Event],
    policies: dict[str, Policy],
    report: Report,
    take: Callable[[list[Decision]], None],
) -> None:
    replay = LogReplay(Source("file", "file", 0), policies, _AT)
    staged: set[str] = set()
    for number, chunk in enumerate(_chunks(events)):
        for tenant, calls in _by_tenant(number, chunk).items():
            if tenant not in staged:
                staged.add(tenant)
                _stage(replay, tenant, policies)
            found = replay.pass_calls(tenant, calls)
            for decision in found:
                report.add(decision)
            take(found)
    report.duplicates = replay.duplicates


def _chunks(events: Iterable[Event]) -> Iterator[list[Event]]:
    waiting = iter(events)
    while chunk := list(islice(waiting, CHUNK)):
        yield chunk


def _by_tenant(number: int, chunk: Sequence[Event]) -> dict[str, Calls]:
    found: dict[str, Calls] = {}
    for index, event in enumerate(chunk):
        calls = found.setdefault(event.tenant, Calls())
        calls.add_message(number, time_ms(event.time), [index], [event])
    return found


def _stage(replay: LogReplay, tenant: str, policies: dict[str, Policy]) -> None:
    """Put every policy in force before the first event, with all reasons listed."""
    listed = SettingsChange(reasons="all")
    changes = [Activation(kind="activation", id="settings", tenant=tenant, time=BEFORE_ALL, action="settings",
                          settings=listed)]  # fmt: skip
    changes += [
        Activation(kind="activation", id=f"stage-{digest}", tenant=tenant, time=BEFORE_ALL, action="stage",
                   staging=f"simulated-{digest[:12]}", policy=policy.metadata.name, hash=digest)
        for digest, policy in policies.items()
    ]  # fmt: skip
    for number, change in enumerate(changes):
        replay.pass_activation(change, number - len(changes), time_ms(BEFORE_ALL))
