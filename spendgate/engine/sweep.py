"""Sweeping one budget of a policy: a tenant's calls, judged under many caps or warn thresholds in one go."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.clock import Timed
from spendgate.engine.columns import CallColumns, Combinations, Names
from spendgate.engine.compile import Program, budgets_of, compile_program
from spendgate.engine.counters import Counters
from spendgate.engine.rules import NO_LIMIT, Int
from spendgate.engine.stream import NotStreamable, span_of, stagings_of
from spendgate.engine.stream_kernel import DISORDERED, DONE
from spendgate.engine.stream_state import NEVER_MS
from spendgate.engine.sweep_kernel import Scratch, SweepCalls, SweepCounts, Variants, run
from spendgate.engine.sweep_state import SweepState
from spendgate.model.decision import VERDICTS
from spendgate.model.policy import Policy, Rule

_NEVER_REACHED = int(np.iinfo(np.int64).max)
_EVERYTHING = 2**53 - 1


class TooManyKeys(Exception):
    """Rolling windows of so many keys and variants would not fit; fewer variants at a time may."""


def without_budgets(policy: Policy) -> Policy:
    """The policy with the rules that are no budgets; with one that always approves where there are none."""
    rules = [rule for rule in policy.spec.rules if rule.budget is None]
    always = Rule.model_validate({"boundary": {"max_input_tokens": _EVERYTHING, "on_breach": "warn"}})
    return policy.model_copy(update={"spec": policy.spec.model_copy(update={"rules": rules or [always]})})


def new_counts(windows: int, variants: int) -> SweepCounts:
    """Nothing counted yet."""
    denied, nano_usd, lost, warned = (np.zeros((windows, variants), np.int64) for _ in range(4))
    one = np.zeros(windows, np.int64)
    return SweepCounts(denied, nano_usd, lost, warned, one, one.copy(), np.zeros((0, variants), np.int8))


@dataclass(slots=True)
class SweepJudge:
    """Feed it a tenant's calls in order. ``variants``: the policy again and again, but for the cap and the warn
    thresholds of its budgets; ``counts``: what it counts into, of all tenants alike."""

    variants: Sequence[Policy]
    counts: SweepCounts
    refuse_reviews: bool = False
    names: dict[str, Names] = field(init=False)
    _program: Program = field(init=False)
    _arrays: Variants = field(init=False)
    _groups: list[Combinations] = field(init=False)
    _state: SweepState = field(init=False)
    _late_ms: int = NEVER_MS
    _denies_from: int = field(init=False)

    def __post_init__(self) -> None:
        programs = [compile_program(*stagings_of([policy]), Counters()) for policy in self.variants]
        program = self._program = programs[0]
        budgets = budgets_of(program)
        caps = np.stack([each.rules.rows["cap"][budgets] for each in programs], axis=1)
        warns = np.stack([each.rules.thresholds[budgets, 0] for each in programs], axis=1)
        warns[warns == NO_LIMIT] = _NEVER_REACHED
        self._arrays = Variants(np.ascontiguousarray(caps), np.ascontiguousarray(warns))
        self.names = {name: Names() for group in program.layout.groups for name in group}
        self._groups = [self._group(fields) for fields in program.layout.groups]
        self._state = SweepState(program.rules.rows[budgets], len(programs))
        self._denies_from = VERDICTS.index("review" if self.refuse_reviews else "deny")

    def _group(self, fields: tuple[str, ...]) -> Combinations:
        numbers = count()
        return Combinations(fields, self.names, lambda _: next(numbers))

    def judge(
        self, columns: CallColumns, timed: Timed, base: Int, *, window: Int, accepted: Int, owner: Int, owners: int
    ) -> SweepCounts:
        """Judge and count a batch, whose ``names`` are those of this judge; the counts, with room for ``owners``.

        ``base``: by call, what ``without_budgets`` says of it. The rest: see SweepCalls. Raises NotStreamable and
        TooManyKeys; the judge is of no use then.
        """
        self.counts = _with_room(self.counts, owners)
        keys = np.stack([group.of(columns) for group in self._groups])
        if not self._state.fits(int(keys.max(initial=0)) + 1):
            raise TooManyKeys
        self._state.make_room(int(keys.max(initial=0)) + 1)
        answered = np.where((columns.cost == UNKNOWN) & (base != UNKNOWN), self._program.by_policy.unpriced[0], UNKNOWN)
        calls = SweepCalls(
            timed.judged_ms, timed.late, np.maximum(base, answered), columns.cost, keys, window, accepted, owner
        )
        self._run(calls, timed)
        self._late_ms = timed.after.late_ms
        return self.counts

    def _run(self, calls: SweepCalls, timed: Timed) -> None:
        program, state = self._program, self._state
        calendars = program.calendars(*span_of(timed))
        wide = len(self.variants)
        scratch = Scratch(*(np.zeros(size, np.int64) for size in (len(state.budgets), wide, wide)))
        ended, at = len(calls.judged_ms), np.zeros(1, np.int64)
        while ended != DONE:
            ended = run(
                state.budgets, self._arrays, self._denies_from, calendars.starts, calendars.first, calls, state.rows,
                state.here, state.ring_of, state.rings, scratch, at, self.counts,
            )  # fmt: skip
            if ended == DISORDERED:
                raise NotStreamable
            if ended != DONE:
                state.make_rows(self._late_ms, program.tables)


def _with_room(counts: SweepCounts, owners: int) -> SweepCounts:
    known = len(counts.hits)
    if owners <= known:
        return counts
    hits = np.zeros((max(owners, 2 * known), counts.hits.shape[1]), np.int8)
    hits[:known] = counts.hits
    return counts._replace(hits=hits)
