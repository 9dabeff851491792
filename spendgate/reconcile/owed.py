"""What a judged stretch of the log owes, as columns: the heads of its decisions, and the reasons that they list."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from spendgate.engine.batch import UNKNOWN, taken
from spendgate.engine.calls import Calls
from spendgate.engine.compile import Program
from spendgate.engine.decide import UNPRICED
from spendgate.engine.decisions import (
    KINDS,
    Heads,
    Judgement,
    Source,
    decisions_of,
    id_head,
    listed_pairs,
    mark_masks,
    window_bounds,
)
from spendgate.engine.log_judge import LogBatch, LogJudge
from spendgate.engine.rules import BUDGET, Int
from spendgate.engine.staging import settings_of
from spendgate.ledger.event_rows import events_of
from spendgate.model.decision import Decision
from spendgate.reconcile.codes import ABSENT, Codes, filled

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for ``decided_at``, the one field in which a replay may differ."""
US = 1000
NEEDED = ("id", "source", "tenant", "time", "cost_nano_usd", "check_id")
"""The columns of events that a decision repeats."""


class Reasons(NamedTuple):
    """Reasons, one entry each, as numbers: texts by ``Codes``, instants in µs, ABSENT for what is not there.
    ``alerts``: whether any threshold was crossed, 0 or 1."""

    policy: Int
    staging: Int
    stage: Int
    rule: Int
    kind: Int
    verdict: Int
    code: Int
    counter: Int
    window_start: Int
    window_end: Int
    limit: Int
    used_before: Int
    recorded_before: Int
    remaining: Int
    overage: Int
    reset_at: Int
    alerts: Int


class Owed(NamedTuple):
    """A stretch: ``events`` (EVENTS columns), how they were judged, and one entry a row; what owes nothing is skipped.

    ``id_head``: what ids of decisions begin with. ``first``: row i lists the reasons ``first[i]`` to ``first[i + 1]``.
    """

    events: Any
    judged: LogBatch
    id_head: str
    offsets: Int
    indexes: Int
    received_ms: Int
    skipped: Int
    time_us: Int
    cost: Int
    source_code: Int
    verdict: Int
    marks: Int
    rules: Int
    set: int
    first: Int
    reasons: Reasons
    all_reasons: bool


class _Heads(NamedTuple):
    """By row of the rules, the codes of what its reasons begin with."""

    policy: Int
    staging: Int
    stage: Int
    rule: Int
    kind: Int


def _heads(program: Program, codes: Codes) -> _Heads:
    stagings = [program.stagings[policy] for policy in program.rules.rows["policy"].tolist()]
    return _Heads(
        codes.all_of(each.policy for each in stagings), codes.all_of(each.staging for each in stagings),
        codes.all_of(each.stage for each in stagings), np.array(program.rule_in_policy, np.int64),
        codes.all_of(KINDS[kind] for kind in program.rules.rows["kind"].tolist()),
    )  # fmt: skip


class Owing:
    """Says what the stretches that ``judge`` has judged owe, in the numbers of ``codes``."""

    def __init__(self, tenant: str, source: Source, judge: LogJudge, codes: Codes) -> None:
        self._tenant, self._source, self._judge, self._codes = tenant, source, judge, codes
        self._keys = np.zeros(0, np.int64)

    def of(self, events: Any, judged: LogBatch) -> Owed:
        """What a stretch owes; before the next activation is passed."""
        batch, program, codes = judged.batch, judged.program, self._codes
        all_reasons = settings_of(self._judge.document).reasons == "all"
        listed = listed_pairs(program, batch, all_reasons)
        calls = batch.calls
        return Owed(
            events=events, judged=judged, all_reasons=all_reasons,
            id_head=id_head(self._tenant, self._source, program), offsets=filled(events["offset"]),
            indexes=filled(events["index"]), received_ms=filled(events["received_at"]), skipped=calls["skipped"],
            time_us=filled(events["time"]), cost=np.where(calls["cost"] == UNKNOWN, ABSENT, calls["cost"]),
            source_code=codes.column(events["source"]), verdict=codes.verdicts[calls["worst"]],
            marks=mark_masks(batch, judged.timed.skewed), rules=calls["looked"], set=codes.of(program.name),
            first=np.searchsorted(listed, batch.first), reasons=self._reasons(judged, listed),
        )  # fmt: skip

    def decisions(self, owed: Owed, rows: Int) -> list[Decision]:
        """The whole decisions of some rows, none of which is skipped, by the function that the live path calls."""
        events = events_of(owed.events.select(list(NEEDED)).take(rows))
        places = owed.offsets[rows].tolist(), owed.indexes[rows].tolist(), owed.received_ms[rows].tolist()
        part = Judgement(Calls(*places, events), taken(owed.judged.batch, rows), owed.judged.timed.skewed[rows])
        heads, text = Heads(owed.judged.program), self._judge.counters.key_text
        return decisions_of(self._tenant, self._source, heads, text, part, owed.all_reasons, NEVER)

    def _reasons(self, judged: LogBatch, listed: Int) -> Reasons:
        """As ``engine.decisions.reasons_of``, in numbers."""
        batch, program, codes = judged.batch, judged.program, self._codes
        pairs = batch.pairs[listed]
        row = pairs["rule"]
        rules = program.rules.rows[row]
        call = np.searchsorted(batch.first, listed, side="right") - 1
        bare = (rules["kind"] != BUDGET) | (pairs["code"] == UNPRICED) | (pairs["ref"] == UNKNOWN)
        cost, used, cap = np.maximum(batch.calls["cost"][call], 0), pairs["used"], rules["cap"]
        key = batch.keys[np.maximum(rules["group"], 0), call] if len(batch.keys) else np.zeros(len(call), np.int64)
        start, end = window_bounds(rules, pairs)
        heads = _heads(program, codes)

        def unless_bare(values: Int) -> Int:
            return np.where(bare, ABSENT, values)

        def instant(values_ms: Int) -> Int:
            return np.where(bare | (values_ms == UNKNOWN), ABSENT, values_ms * US)

        return Reasons(
            policy=heads.policy[row], staging=heads.staging[row], stage=heads.stage[row], rule=heads.rule[row],
            kind=heads.kind[row], verdict=codes.verdicts[pairs["verdict"]], code=codes.reasons[pairs["code"]],
            counter=unless_bare(self._key_codes()[np.where(bare, 0, key)]), window_start=instant(start),
            window_end=instant(end), limit=unless_bare(cap), used_before=unless_bare(used),
            recorded_before=unless_bare(pairs["recorded"]), remaining=unless_bare(np.maximum(cap - used, 0)),
            overage=unless_bare(np.maximum(used + cost - cap, 0)), reset_at=instant(pairs["reset"]),
            alerts=np.where(bare, 0, pairs["alerts"] != 0).astype(np.int64),
        )  # fmt: skip

    def _key_codes(self) -> Int:
        """The number of each counter key's text, by the key's number; at least one entry."""
        counters = self._judge.counters
        fresh = self._codes.all_of(counters.key_text(key) for key in range(len(self._keys), counters.keys_known))
        self._keys = np.concatenate((self._keys, fresh))
        return self._keys if len(self._keys) else np.zeros(1, np.int64)
