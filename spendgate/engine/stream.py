"""A run of one tenant's recorded calls, as columns, through policies that all stand before the first call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.clock import Clock, Timed, advance
from spendgate.engine.columns import CallColumns, Combinations, Names
from spendgate.engine.compile import Program, compile_program
from spendgate.engine.counter_keys import key_text
from spendgate.engine.counters import MAX_SUM, Counters
from spendgate.engine.rules import CALENDAR, Int, PolicyArrays
from spendgate.engine.seen import Seen
from spendgate.engine.staging import Staging
from spendgate.engine.stream_kernel import DISORDERED, DONE, run
from spendgate.engine.stream_state import StreamState
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS
from spendgate.model.policy import Policy
from spendgate.model.settings import Settings


class NotStreamable(Exception):
    """The calls are too far out of order, too many keys roll, or sums could pass 2^62: only ``decide`` can judge."""


class Judged(NamedTuple):
    """One entry a call. ``worst``, ``worst_open``: index into VERDICTS by the closed and the open loop, UNKNOWN for a
    duplicate. ``by_policy``: (policies, calls), UNKNOWN where the policy does not look. ``timed``: see ``advance``."""

    worst: Int
    worst_open: Int
    by_policy: Int
    timed: Timed


class WindowRow(NamedTuple):
    """What one window of one key came to. ``span``: start and end (ms) of a calendar window, None for a rolling or a
    lifetime one, whose row is over all calls. The rest: see ``stream_state``."""

    rule: int
    key: int
    span: tuple[int, int] | None
    admitted_nano_usd: int
    recorded_nano_usd: int
    breached_ms: int
    breaches: int
    breached_nano_usd: int
    calls: int
    denied_calls: int
    last_ms: int


def stagings_of(policies: Sequence[Policy]) -> tuple[list[Staging], dict[str, Policy]]:
    """Policies as if each were staged before the first call; the same one may stand there twice."""
    hashes = [policy_hash(policy) for policy in policies]
    stagings = [
        Staging(f"simulated-{at}", policy.metadata.name, digest, "shadow", at - len(policies))
        for at, (policy, digest) in enumerate(zip(policies, hashes, strict=True))
    ]
    return stagings, dict(zip(hashes, policies, strict=True))


@dataclass(slots=True)
class StreamJudge:
    """Feed it a tenant's calls in order. ``refuse_reviews``: a would-be review is not admitted either.

    Found so far: ``rule_hits`` and ``totals`` (see ``run``), ``rows()``.
    """

    policies: Sequence[Policy]
    settings: Settings = field(default_factory=Settings)
    refuse_reviews: bool = False
    program: Program = field(init=False)
    by_policy: PolicyArrays = field(init=False)
    names: dict[str, Names] = field(init=False, default_factory=dict)
    state: StreamState = field(init=False)
    rule_hits: Int = field(init=False)
    totals: Int = field(init=False)
    clock: Clock = field(default_factory=Clock)
    total_nano_usd: int = 0
    _classes: Combinations = field(init=False)
    _groups: list[Combinations] = field(init=False)
    _seen: Seen = field(init=False, default_factory=Seen)

    def __post_init__(self) -> None:
        stagings, documents = stagings_of(self.policies)
        self.program = compile_program(stagings, documents, Counters())
        self.by_policy = self.program.by_policy
        if self.refuse_reviews:
            refused = np.full(len(self.policies), VERDICTS.index("review"), np.int64)
            self.by_policy = self.by_policy._replace(denies_from=refused)
        self.names = {name: Names() for name in self.fields}
        self.state = StreamState(self.program.rules)
        self.rule_hits = np.zeros((len(self.program.rules.rows), 5), np.int64)
        self.totals = np.zeros((len(self.policies), 2, len(VERDICTS), 2), np.int64)
        classes = self.program.classes
        self._classes = Combinations(classes.fields, self.names, classes.class_of)
        self._groups = [self._group(fields) for fields in self.program.layout.groups]

    def _group(self, fields: tuple[str, ...]) -> Combinations:
        numbers = count()
        return Combinations(fields, self.names, lambda _: next(numbers))

    @property
    def fields(self) -> tuple[str, ...]:
        """The name fields that the policies look at."""
        groups = [name for group in self.program.layout.groups for name in group]
        return tuple(dict.fromkeys((*self.program.classes.fields, *groups)))

    def key(self, rule: int, key: int) -> str:
        """A counter's key, as it stands in decisions."""
        group = self._groups[int(self.program.rules.rows["group"][rule])]
        return key_text(group.fields, group.values(key))

    def key_values(self, rule: int, key: int) -> tuple[str | None, ...]:
        """A counter's ``per`` values."""
        return self._groups[int(self.program.rules.rows["group"][rule])].values(key)

    def rows(self) -> Iterator[WindowRow]:
        """Every window that a call has met."""
        table, sums = self.state.rows
        used = int(table.used[0])
        places = zip(*(column[:used].tolist() for column in (table.counter, table.key, table.window)), strict=True)
        spans: dict[tuple[int, int], tuple[int, int] | None] = {}  # few windows have many keys
        for (rule, key, window), row in zip(places, sums[:used].tolist(), strict=True):
            if (rule, window) not in spans:
                spans[rule, window] = self._span_of(rule, window)
            yield WindowRow(rule, key, spans[rule, window], *row)

    def _span_of(self, rule: int, window: int) -> tuple[int, int] | None:
        row = self.program.rules.rows[rule]
        return self.program.tables[int(row["table"])].window_of(window) if row["window"] == CALENDAR else None

    def judge(self, columns: CallColumns, identities: Int | None = None) -> Judged:
        """Judge a batch; its duplicates are those marked, and those found if ``identities`` are given.

        Raises NotStreamable; the judge is of no use then.
        """
        self._require_small(columns.cost)
        timed = advance(self.clock, self.settings, columns.received_ms, columns.time_ms)
        self.clock = timed.after
        skipped = columns.skipped
        if identities is not None:
            skipped = skipped | self._seen.repeats(identities, skipped, timed.hour, timed.duplicate_hour)
        return self._run(columns, timed, skipped)

    def _require_small(self, costs: Int) -> None:
        most = int(costs.max(initial=0)) * len(costs)
        self.total_nano_usd += int(costs[costs > 0].sum()) if most <= MAX_SUM else most
        if self.total_nano_usd > MAX_SUM:
            raise NotStreamable

    def _run(self, columns: CallColumns, timed: Timed, skipped: Int) -> Judged:
        length, program, state = len(columns.time_ms), self.program, self.state
        klass, keys = self._numbered(columns)
        self._make_room(int(keys.max(initial=0)) + 1)
        calendars = program.calendars(*span_of(timed))
        judged = Judged(
            np.empty(length, np.int64), np.empty(length, np.int64),
            np.full((len(program.policies), length), UNKNOWN, np.int64), timed,
        )  # fmt: skip
        classes = program.classes.arrays()
        slots, at = np.empty(len(program.rules.rows) + 1, np.int64), np.zeros(1, np.int64)
        ended = length
        while ended != DONE:
            ended = run(
                program.rules.rows, program.rules.thresholds, *self.by_policy, classes.first, classes.rule,
                classes.fixed, calendars.starts, calendars.first, timed.judged_ms, timed.late, skipped, columns.cost,
                columns.input_tokens, columns.output_tokens, klass, keys, *state.rows, state.here, state.ring_of,
                *state.rings, slots, at, judged.worst, judged.worst_open, judged.by_policy, self.rule_hits,
                self.totals,
            )  # fmt: skip
            if ended == DISORDERED:
                raise NotStreamable
            if ended != DONE:
                state.grow_rows()
        return judged

    def _numbered(self, columns: CallColumns) -> tuple[Int, Int]:
        """Each call's class, and its key under each ``per``, shape (groups, calls)."""
        keys = np.zeros((max(1, len(self._groups)), len(columns.time_ms)), np.int64)
        for row, group in enumerate(self._groups):
            keys[row] = group.of(columns)
        return self._classes.of(columns), keys

    def _make_room(self, keys: int) -> None:
        if not self.state.fits(keys):
            raise NotStreamable
        self.state.make_room(keys)


def span_of(timed: Timed) -> tuple[int, int]:
    """The first and the last judged time (ms) among calls that are not late; (0, 0) without."""
    on_time = timed.judged_ms[timed.late == 0]
    return (int(on_time.min()), int(on_time.max())) if len(on_time) else (0, 0)
