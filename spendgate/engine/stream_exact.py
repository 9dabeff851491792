"""The same run by the kernel of the live path: slower, for calls that ``StreamJudge`` refuses, and for their pairs."""

from dataclasses import dataclass, field

import numpy as np

from spendgate.engine.batch import CALL, UNKNOWN, Batch, Records
from spendgate.engine.clock import Timed
from spendgate.engine.columns import CallColumns
from spendgate.engine.counters import Counters
from spendgate.engine.decide import APPROVE, WARN, decide
from spendgate.engine.forgetting import expiries_ms
from spendgate.engine.jit import jit
from spendgate.engine.plan import plan
from spendgate.engine.rules import BUDGET, CALENDAR, Int
from spendgate.engine.stream import Judged, StreamJudge, span_of
from spendgate.engine.stream_state import (
    ADMITTED,
    BREACHED_COST,
    BREACHED_MS,
    BREACHES,
    CALLS,
    CLOSED_CALLS,
    LAST_MS,
    NEVER_MS,
    RECORDED,
)
from spendgate.engine.table import FULL, Table, find_or_add

MAX_SLOTS = 1 << 18
"""Past this many, slots that no verdict can read any more are forgotten."""


@dataclass
class ExactJudge(StreamJudge):
    """As ``StreamJudge``, of any calls. ``batch``: the pairs of the last batch, which say all that a decision does."""

    batch: Batch | None = field(init=False, default=None)
    counters: Counters = field(init=False, default_factory=Counters)
    max_slots: int = MAX_SLOTS

    def _require_small(self, costs: Int) -> None:
        """Nothing is refused: decide stops its sums where they would overflow."""

    def _run(self, columns: CallColumns, timed: Timed, skipped: Int) -> Judged:
        program = self.program
        self._forget(timed.after.late_ms)
        calls: Records = np.zeros(len(columns.time_ms), CALL)
        calls["judged_ms"], calls["late"], calls["skipped"] = timed.judged_ms, timed.late, skipped
        for name in ("cost", "input_tokens", "output_tokens"):
            calls[name] = getattr(columns, name)
        calls["klass"], keys = self._numbered(columns)
        batch = plan(
            program.rules, program.classes.arrays(), program.calendars(*span_of(timed)), calls, keys, self.counters
        )
        self.counters.load({})
        decide(program.rules, self.by_policy, batch, self.counters)
        self.counters.discard()
        self.batch = batch
        return self._folded(batch, timed)

    def _folded(self, batch: Batch, timed: Timed) -> Judged:
        length, rules, state = len(batch.calls), self.program.rules, self.state
        judged = Judged(
            np.empty(length, np.int64), np.empty(length, np.int64),
            np.full((len(self.policies), length), UNKNOWN, np.int64), timed,
        )  # fmt: skip
        at = np.zeros(1, np.int64)
        while not _fold(
            rules.rows, rules.thresholds, self.by_policy.denies_from, batch.calls, batch.keys, batch.first,
            batch.pairs, *state.rows, at, judged.worst, judged.worst_open, judged.by_policy, self.rule_hits,
            self.totals,
        ):  # fmt: skip
            state.grow_rows()
        return judged

    def _forget(self, late_ms: int) -> None:
        used = int(self.counters.slots.used[0])
        if used <= self.max_slots:
            return
        self.counters = self.counters.kept(expiries_ms(self.program, self.counters, used) > late_ms)
        self.max_slots = max(self.max_slots, 2 * int(self.counters.slots.used[0]))


@jit
def _fold(  # noqa: C901 - the sums of ``stream_kernel.run``, from pairs
    rules: Records, thresholds: Int, denies_from: Int, calls: Records, keys: Int, first: Int, pairs: Records,
    table: Table, sums: Int, at: Int, worst: Int, worst_open: Int, by_policy: Int, rule_hits: Int, totals: Int,
) -> bool:  # fmt: skip
    """Count judged calls from ``at[0]`` on; False if there was no room for the rows of the call at ``at[0]``."""
    for call in range(at[0], calls.shape[0]):
        at[0] = call
        worst[call], worst_open[call] = UNKNOWN, UNKNOWN
        if calls[call]["skipped"] != 0:
            continue
        for pair in range(first[call], first[call + 1]):
            rule = pairs[pair]["rule"]
            if pairs[pair]["ref"] != UNKNOWN:
                window = pairs[pair]["window"] if rules[rule]["window"] == CALENDAR else 0
                if find_or_add(table, rule, keys[rules[rule]["group"], call], window) == FULL:
                    return False
        cost, most, most_open, pair = calls[call]["cost"], APPROVE, APPROVE, first[call]
        while pair < first[call + 1]:
            begin, policy = pair, rules[pairs[pair]["rule"]]["policy"]
            mine, mine_open = APPROVE, APPROVE
            while pair < first[call + 1] and rules[pairs[pair]["rule"]]["policy"] == policy:
                rule, verdict = pairs[pair]["rule"], pairs[pair]["verdict"]
                verdict_open = verdict
                is_budget = rules[rule]["kind"] == BUDGET
                if is_budget and pairs[pair]["ref"] != UNKNOWN and cost != UNKNOWN:
                    after = pairs[pair]["recorded"] + cost
                    verdict_open = APPROVE
                    if after > rules[rule]["cap"]:
                        verdict_open = rules[rule]["breach"]
                    elif thresholds[rule, 0] != UNKNOWN and after >= thresholds[rule, 0]:
                        verdict_open = WARN
                if not is_budget or pairs[pair]["ref"] != UNKNOWN:
                    rule_hits[rule, verdict] += 1
                    rule_hits[rule, 4] += 1
                mine, mine_open = max(mine, verdict), max(mine_open, verdict_open)
                pair += 1
            admits = mine < denies_from[policy]
            for looked in range(begin, pair):
                if pairs[looked]["ref"] != UNKNOWN:
                    _fold_row(rules, calls, call, keys, pairs, looked, table, sums, admits)
            paid = 0 if cost == UNKNOWN else cost
            by_policy[policy, call] = mine
            totals[policy, 0, mine, 0] += 1
            totals[policy, 0, mine, 1] += paid
            totals[policy, 1, mine_open, 0] += 1
            totals[policy, 1, mine_open, 1] += paid
            most, most_open = max(most, mine), max(most_open, mine_open)
        worst[call], worst_open[call] = most, most_open
    at[0] = calls.shape[0]
    return True


@jit
def _fold_row(
    rules: Records, calls: Records, call: int, keys: Int, pairs: Records, pair: int, table: Table, sums: Int,
    admits: bool,
) -> None:  # fmt: skip
    rule, cost, at_ms = pairs[pair]["rule"], calls[call]["cost"], calls[call]["judged_ms"]
    window = pairs[pair]["window"] if rules[rule]["window"] == CALENDAR else 0
    row = find_or_add(table, rule, keys[rules[rule]["group"], call], window)
    if cost != UNKNOWN and pairs[pair]["used"] + cost > rules[rule]["cap"]:
        if sums[row, BREACHED_MS] == NEVER_MS:
            sums[row, BREACHED_MS] = at_ms
        sums[row, BREACHES] += 1
        sums[row, BREACHED_COST] += cost
    sums[row, CALLS] += 1
    sums[row, CLOSED_CALLS] += not admits
    sums[row, LAST_MS] = max(sums[row, LAST_MS], at_ms)
    if cost != UNKNOWN:
        sums[row, RECORDED] += cost
        sums[row, ADMITTED] += cost if admits else 0
