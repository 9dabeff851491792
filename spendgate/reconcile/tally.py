"""What is found while a log is passed: counts, and the first examples of each difference."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spendgate.engine.batch import UNKNOWN, Batch
from spendgate.engine.compile import Program
from spendgate.engine.rules import BUDGET, Int
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.model.activation import Stage
from spendgate.model.reconciliation import Cause, Kind
from spendgate.reconcile.asked import Wanted
from spendgate.reconcile.causes import Explained
from spendgate.reconcile.lags import Lags
from spendgate.reconcile.windows import MINUTE_MS

MAX_EXAMPLES = 5
"""So many of each kind and cause are told."""

Bits = NDArray[np.bool_]
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
        calls, _, first, pairs = batch
        looked = np.zeros(len(calls), np.bool_)
        of_call = np.repeat(np.arange(len(calls)), np.diff(first))
        named = np.array([self.wanted.names(each.policy, each.staging) for each in program.stagings], np.bool_)
        mine = within[of_call]
        if not named.all():
            mine &= named[program.rules.rows["policy"][pairs["rule"]]]
        if not mine.all():
            of_call, pairs = of_call[mine], pairs[mine]
        looked[of_call] = True
        self.looked += int(looked.sum())
        rules = program.rules.rows[pairs["rule"]]
        self._see_looked(program, rules["policy"], of_call, calls["judged_ms"])
        self.answered.update(_rules(program, pairs["rule"][pairs["verdict"] > 0]))
        costs = calls["cost"][of_call]
        is_summed = (rules["kind"] == BUDGET) & (pairs["ref"] != UNKNOWN) & (costs != UNKNOWN)
        is_near = is_summed & (rules["cap"] - pairs["used"] - costs <= _percent_of(rules["cap"], self.near_cap_percent))
        for staging, found in _by_staging(program, rules["policy"][is_near], of_call[is_near]):
            self.near[staging] += len(found)
        return looked

    def _see_looked(self, program: Program, policies: Int, of_call: Int, judged_ms: Int) -> None:
        for staging, found in _by_staging(program, policies, of_call):
            minutes, counts = np.unique(judged_ms[found] // MINUTE_MS, return_counts=True)
            known = self.minutes.setdefault(staging, Counter())
            known.update(dict(zip(minutes.tolist(), counts.tolist(), strict=True)))


def _stage(staging: Staging) -> Stage:
    return "enforced" if staging.stage == "enforced" else "shadow"


def _percent_of(caps: Int, percent: int) -> Int:
    """So many percent of each, rounded down; a cap times a hundred can be past an int64."""
    found: Int = caps // 100 * percent + caps % 100 * percent // 100
    return found


def _by_staging(program: Program, policies: Int, of_call: Int) -> Iterable[tuple[str, Int]]:
    """The calls of each staging, each once; ``policies``: by pair, which of the program's."""
    for number in np.unique(policies).tolist():
        yield program.stagings[number].staging, np.unique(of_call[policies == number])


def _rules(program: Program, rows: Int) -> Iterable[Rule]:
    for row in np.unique(rows).tolist():
        policy = int(program.rules.rows["policy"][row])
        yield program.stagings[policy].staging, program.rule_in_policy[row]
