"""One tenant's recorded log, as columns, judged as the live path judges it: stagings begin, change and end in it.

The same ``plan`` and ``decide`` as everywhere. What is not here is the store: sums stay in memory, and those that no
verdict can read any more are forgotten now and then. Duplicates are those that the columns mark.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np

from spendgate.engine.batch import CALL, Batch, Records
from spendgate.engine.clock import Timed, advance, tick
from spendgate.engine.columns import CallColumns, Combinations, Names
from spendgate.engine.compile import Program, compile_program
from spendgate.engine.counters import Counters
from spendgate.engine.decide import decide
from spendgate.engine.forgetting import expiries_ms
from spendgate.engine.plan import plan
from spendgate.engine.rules import Int
from spendgate.engine.seed import seed_instant_ms
from spendgate.engine.staging import Staging, TenantDocument, activated, is_void, settings_of
from spendgate.engine.stream import span_of
from spendgate.model.activation import Activation
from spendgate.model.policy import Policy

MAX_SLOTS = 1 << 18
"""Past this many, slots that no verdict can read any more are forgotten."""


class LogBatch(NamedTuple):
    """A judged stretch: the pairs that ``decide`` filled in, the judged times, and the rules that looked."""

    batch: Batch
    timed: Timed
    program: Program


@dataclass(slots=True)
class _Shared:
    """Sums, and the numbers of names and keys: of a tenant's judge, and of those that build its seeds."""

    names: dict[str, Names] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    groups: dict[tuple[str, ...], Combinations] = field(default_factory=dict)

    def group(self, fields: tuple[str, ...]) -> Combinations:
        """The keys under one ``per``; numbers are the counters' own, so a key's text is known by its number."""
        if fields not in self.groups:
            self.counters.keys(fields)
            self.groups[fields] = Combinations(fields, self.names, lambda values: self.counters.new_key(fields, values))
        return self.groups[fields]


class LogJudge:
    """Feed it a tenant's log in order. ``policies`` by hash must hold every policy that an activation names; ``names``
    are the columns of names that any of them looks at (see ``fields_of``)."""

    def __init__(
        self, policies: Mapping[str, Policy], document: TenantDocument | None = None, shared: _Shared | None = None
    ) -> None:
        self._policies = policies
        self._shared = shared or _Shared({name: Names() for name in fields_of(policies)})
        self._max_slots = MAX_SLOTS if shared is None else None
        self.document = document or TenantDocument()
        self._compile()

    def _compile(self) -> None:
        shared = self._shared
        self.program: Program = compile_program(self.document.stagings, self._policies, shared.counters)
        classes = self.program.classes
        self._classes = Combinations(classes.fields, shared.names, classes.class_of)
        self._groups = [shared.group(fields) for fields in self.program.layout.groups]

    @property
    def names(self) -> Mapping[str, Names]:
        """Who numbers the values of each column of names."""
        return self._shared.names

    @property
    def counters(self) -> Counters:
        """The sums as they stand."""
        return self._shared.counters

    def activate(self, activation: Activation, offset: int, received_ms: int) -> Staging | None:
        """Pass an activation at ``offset``; the staging that it begins, which is to be seeded at once."""
        before = self.document
        after = tick(before.clock, settings_of(before), received_ms)
        document = activated(before, activation, offset)
        self.document = msgspec.structs.replace(document, **after._asdict())
        self._compile()
        if activation.action != "stage" or is_void(before, activation):
            return None
        return next((each for each in document.stagings if each.offset == offset), None)

    def seeder(self, staging: Staging) -> "LogSeeder | None":
        """Who builds the counters of a staging that has just begun; None where there is nothing to build."""
        from_ms = seed_instant_ms(self._policies[staging.hash], self.document.late_ms)
        if from_ms is None or not self.document.calls:
            return None
        return LogSeeder(self._policies, staging, from_ms, self._shared)

    def judge(self, columns: CallColumns, not_before_ms: int | None = None) -> LogBatch:
        """Judge a stretch. No budget looks at a call that is judged at a time before ``not_before_ms``."""
        timed = advance(self.document.clock, settings_of(self.document), columns.received_ms, columns.time_ms)
        calls: Records = np.zeros(len(columns.time_ms), CALL)
        calls["judged_ms"], calls["late"], calls["skipped"] = timed.judged_ms, timed.late, columns.skipped
        if not_before_ms is not None:
            calls["late"][timed.judged_ms < not_before_ms] = 1
        for name in ("cost", "input_tokens", "output_tokens"):
            calls[name] = getattr(columns, name)
        calls["klass"] = self._classes.of(columns)
        batch = self._decided(calls, self._keys(columns), timed)
        self._pass(timed, columns)
        return LogBatch(batch, timed, self.program)

    def _keys(self, columns: CallColumns) -> Int:
        keys = np.zeros((len(self._groups), len(columns.time_ms)), np.int64)
        for row, group in enumerate(self._groups):
            keys[row] = group.of(columns)
        return keys

    def _decided(self, calls: Records, keys: Int, timed: Timed) -> Batch:
        program, counters = self.program, self._shared.counters
        calendars = program.calendars(*span_of(timed))
        batch = plan(program.rules, program.classes.arrays(), calendars, calls, keys, counters)
        counters.load({})
        decide(program.rules, program.by_policy, batch, counters)
        counters.discard()
        return batch

    def _pass(self, timed: Timed, columns: CallColumns) -> None:
        """Move the clock, and forget what is behind it."""
        document = self.document
        has_calls = document.calls or bool(len(columns.time_ms))
        self.document = msgspec.structs.replace(document, **timed.after._asdict(), calls=has_calls)
        used = int(self._shared.counters.slots.used[0])
        if self._max_slots is not None and used > self._max_slots:
            counters = self._shared.counters
            keep = expiries_ms(self.program, counters, used) > self.document.late_ms
            self._shared.counters = counters.kept(keep)
            self._max_slots = max(MAX_SLOTS, 2 * int(keep.sum()))


class LogSeeder:
    """Builds the counters of one staging, into those of its tenant's judge. Feed it the log before the activation, from
    the first record on, with the costs that later corrections give."""

    def __init__(self, policies: Mapping[str, Policy], staging: Staging, from_ms: int, shared: _Shared) -> None:
        shadow = msgspec.structs.replace(staging, stage="shadow")
        self._judge = LogJudge(policies, TenantDocument(stagings=(shadow,)), shared)
        self._from_ms = from_ms

    @property
    def names(self) -> Mapping[str, Names]:
        """See LogJudge."""
        return self._judge.names

    def activate(self, activation: Activation, received_ms: int) -> None:
        """An activation moves the clock, and may change settings; stagings play no part here."""
        judge = self._judge
        after = tick(judge.document.clock, settings_of(judge.document), received_ms)
        if activation.action == "settings":
            judge.document = activated(judge.document, activation, 0)
        judge.document = msgspec.structs.replace(judge.document, **after._asdict())

    def judge(self, columns: CallColumns) -> None:
        """Judge a stretch by the staging alone, from the seed instant on."""
        self._judge.judge(columns, self._from_ms)


def fields_of(policies: Mapping[str, Policy]) -> tuple[str, ...]:
    """The columns of names that any of the policies looks at."""
    found: dict[str, None] = {}
    for digest, policy in sorted(policies.items()):
        program = compile_program([Staging("", policy.metadata.name, digest, "shadow", 0)], policies, Counters())
        found |= dict.fromkeys((*program.classes.fields, *(name for group in program.layout.groups for name in group)))
    return tuple(found)
