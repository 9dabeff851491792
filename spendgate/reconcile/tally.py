"""What is found while a log is passed: counts, and the first examples of each difference."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from spendgate.engine.batch import Batch
from spendgate.engine.compile import Program
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.model.activation import Stage
from spendgate.model.reconciliation import Cause, Kind
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.causes import Explained
from spendgate.reconcile.lags import Lags
from spendgate.reconcile.looking import Bits, look

MAX_EXAMPLES = 5
"""So many of each kind and cause are told."""

Rule = tuple[str, int]
"""A staging, and a rule of its policy by number."""


@dataclass(slots=True)
class Group:
    """The differences of one kind and cause."""

    calls: int = 0
    stagings: set[str] = field(default_factory=set)
    examples: list[Explained] = field(default_factory=list)


@dataclass(slots=True)
class Begun:
    """A staging that was seen: its policy's name and hash, where it began, and what became of it."""

    policy: str
    hash: str
    stage: Stage
    partition: int
    offset: int
    begun_ms: int
    ended_ms: int | None = None


@dataclass(slots=True)
class Tally:
    """Of what ``wanted`` names. ``looked``: calls at which one of its rules looked; ``minutes``: by staging, those at
    which it looked, by the minute of the epoch of their judged time; ``answered``: rules that did not only approve;
    ``near``: by staging, calls near a cap."""

    wanted: Wanted
    near_cap_percent: int
    replayed: int = 0
    looked: int = 0
    matched: int = 0
    repeated: int = 0
    groups: dict[tuple[Kind, Cause], Group] = field(default_factory=dict)
    lags: Lags = field(default_factory=Lags)
    minutes: dict[str, Counter[int]] = field(default_factory=dict)
    answered: set[Rule] = field(default_factory=set)
    near: Counter[str] = field(default_factory=Counter)
    stagings: dict[str, Begun] = field(default_factory=dict)
    engine_versions: set[str] = field(default_factory=set)
    settings: dict[str, int | str] = field(default_factory=dict)

    def add(self, found: Explained, stagings: Iterable[str], calls: int = 1) -> None:
        """Count a difference that touches some stagings; or so many that are alike, of which ``found`` is one."""
        group = self.group(found.difference.kind, found.cause)
        group.calls += calls
        group.stagings.update(stagings)
        if len(group.examples) < MAX_EXAMPLES:
            group.examples.append(found)

    def add_unshown(self, found: Explained, stagings: Iterable[str], calls: int) -> None:
        """Count so many differences of a kind and a cause without an example."""
        group = self.group(found.difference.kind, found.cause)
        group.calls += calls
        group.stagings.update(stagings)

    def group(self, kind: Kind, cause: Cause) -> Group:
        """The differences of a kind and a cause."""
        return self.groups.setdefault((kind, cause), Group())

    def note(self, document: TenantDocument, partition: int, offset: int, received_ms: int) -> None:
        """Note what an activation at ``offset`` has left in force."""
        in_force = {each.staging for each in document.stagings}
        for each in document.stagings:
            begun = Begun(each.policy, each.hash, _stage(each), partition, offset, received_ms)
            self.stagings.setdefault(each.staging, begun).stage = _stage(each)
        for name, known in self.stagings.items():
            if name not in in_force and known.partition == partition and known.ended_ms is None:
                known.ended_ms = received_ms

    def see(self, program: Program, batch: Batch, within: Bits) -> Bits:
        """Note what a stretch says of the rules that are asked about; ``within``: which of its calls are looked at.

        Returns at which of these such a rule looked.
        """
        named = np.array([self.wanted.names(each.policy, each.staging) for each in program.stagings], np.bool_)
        found = look(program.rules.rows, named, batch, within, self.near_cap_percent)
        self.looked += int(found.looked.sum())
        for row in np.flatnonzero(found.answered).tolist():
            policy = int(program.rules.rows["policy"][row])
            self.answered.add((program.stagings[policy].staging, program.rule_in_policy[row]))
        for policy in np.flatnonzero(found.near).tolist():
            self.near[program.stagings[policy].staging] += int(found.near[policy])
        for policy, minutes in found.minutes.items():
            self.minutes.setdefault(program.stagings[policy].staging, Counter()).update(minutes)
        return found.looked


def _stage(staging: Staging) -> Stage:
    return "enforced" if staging.stage == "enforced" else "shadow"
