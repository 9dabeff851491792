"""How one window filled: the worst breached calendar or lifetime window of a run, call by call."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spendgate.engine.batch import UNKNOWN
from spendgate.engine.columns import CallColumns
from spendgate.engine.rules import ROLLING, Int
from spendgate.engine.stream import Judged, StreamJudge, WindowRow
from spendgate.simulate.history import History
from spendgate.simulate.report import instant
from spendgate.simulate.run import Judge, Run, simulate

MAX_POINTS = 500


def timeline(run: Run, history: History) -> dict[str, Any] | None:
    """The ``timeline`` section of a report, by one more pass; None if no such window was breached."""
    found = _worst(run)
    if found is None:
        return None
    tenant, judge, row = found
    values = judge.key_values(row.rule, row.key)
    fields = judge.program.layout.groups[int(judge.program.rules.rows["group"][row.rule])]
    trace = _Trace(tenant, row, dict(zip(fields, values, strict=True)))
    simulate(run.policies, history, run.options, listener=trace, restarted=trace.clear)
    places = [(p.metadata.name, n) for p in run.policies for n in range(len(p.spec.rules))]
    policy, rule = places[row.rule]
    cap = int(judge.program.rules.rows["cap"][row.rule])
    return {
        "policy": policy, "rule": rule, "tenant": tenant, "key": judge.key(row.rule, row.key), "cap_nano_usd": cap,
        "points": trace.points(),
    }  # fmt: skip


def _worst(run: Run) -> tuple[str, Judge, WindowRow] | None:
    rows = [
        (row.breached_nano_usd, tenant, at, judge, row)
        for tenant, judge in sorted(run.judges.items())
        for at, row in enumerate(judge.rows())
        if row.breaches and int(judge.program.rules.rows["window"][row.rule]) != ROLLING
    ]
    if not rows:
        return None
    _, tenant, _, judge, row = max(rows, key=lambda each: each[0])
    return tenant, judge, row


class _Trace:
    """A listener: the calls of one key in one window."""

    def __init__(self, tenant: str, row: WindowRow, values: Mapping[str, str | None]) -> None:
        self._tenant, self._row, self._values = tenant, row, values
        self.clear()

    def clear(self) -> None:
        """Forget all that was heard."""
        self._parts: list[tuple[Int, Int, Int]] = []

    def __call__(self, tenant: str, batch: Any, columns: CallColumns, judge: StreamJudge, judged: Judged) -> None:
        """Take the calls that the window counts."""
        if tenant != self._tenant:
            return
        at_ms = judged.timed.judged_ms
        policy = int(judge.program.rules.rows["policy"][self._row.rule])
        chosen = (judged.by_policy[policy] != UNKNOWN) & (judged.timed.late == 0) & (columns.cost != UNKNOWN)
        for name, value in self._values.items():
            numbers = [n for n, known in enumerate(judge.names[name].values) if known == value]
            chosen &= np.isin(columns.names[name], numbers)
        if self._row.span is not None:
            chosen &= (at_ms >= self._row.span[0]) & (at_ms < self._row.span[1])
        denies_from = int(judge.by_policy.denies_from[policy])
        admitted = np.where(judged.by_policy[policy] < denies_from, columns.cost, 0)
        self._parts.append((at_ms[chosen], columns.cost[chosen], admitted[chosen]))

    def points(self) -> list[dict[str, Any]]:
        """The sums after each call, thinned to MAX_POINTS; the last one always stays."""
        if not self._parts:
            return []
        times, costs, admitted = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        recorded, kept = np.cumsum(costs), np.cumsum(admitted)
        places = np.unique(np.linspace(0, len(times) - 1, min(len(times), MAX_POINTS)).astype(np.int64))
        return [
            {"at": instant(int(times[i])), "recorded_nano_usd": int(recorded[i]), "admitted_nano_usd": int(kept[i])}
            for i in places.tolist()
        ]
