"""Seeded calls of thirty days and what shadow said of each, as Arrow columns: 45 teams, 1,000 employees, heavy-tailed
costs; a month's budget a team that denies, a day's an employee that warns, a boundary, and reviews of what is dear."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from spendgate.engine.staging import TenantDocument, activated, set_hash
from spendgate.ledger.columns import EVENTS, TIME
from spendgate.ledger.record_columns import DECISIONS, REASON
from spendgate.model.activation import Activation

DAYS, TEAMS, EMPLOYEES, PER_MESSAGE = 30, 45, 1000, 100
MODELS = (("openai", "gpt-4.1"), ("openai", "gpt-4.1-mini"), ("anthropic", "claude-sonnet-4-5"),
          ("anthropic", "claude-haiku-4-5"), ("google", "gemini-2.5-flash"))  # fmt: skip
KINDS = ("month", "people", "models", "look")
DAY_CAP, WARN_PERCENT, DEAR, MOST = 20 * 10**9, 80, 250_000_000, 10**9
LAG_MS = 80
Numbers = npt.NDArray[np.int64]


@dataclass
class Rows:
    """``judged_by``: the hash of what is staged. ``begun``: the activations, before all calls in the log; ``caps``: of
    each team's month."""

    begin: datetime
    judged_by: str
    begun: list[tuple[Activation, bytes]]
    caps: Numbers
    times_us: Numbers
    employee: Numbers
    model: Numbers
    cost: Numbers
    ids: pa.Array
    month_used: Numbers
    month_recorded: Numbers
    day_used: Numbers

    @property
    def team(self) -> Numbers:
        """Of each call."""
        return self.employee % TEAMS

    def events(self, source: tuple[str, int], first: int, last: int) -> pa.RecordBatch:
        """Calls as the ledger agent writes them."""
        part, count = slice(first, last), last - first
        tokens = (self.cost[part] // 20_000 + 100).astype(np.int64)
        columns = {
            **self._place(source, first, last, len(self.begun)),
            "duplicate": pa.array(np.zeros(count, np.bool_)), "id": self.ids[part], "time": _times(self.times_us[part]),
            **{name: pa.repeat(text, count) for name, text in _SAME.items()},
            "team": _named("t{:02}", TEAMS, self.team[part]),
            "employee": _named("e{:04}", EMPLOYEES, self.employee[part]),
            "project": _named("p{:02}", 40, self.employee[part] % 40),
            "workflow": _named("w{:02}", 20, self.employee[part] % 20),
            "vendor": pa.array([vendor for vendor, _ in MODELS]).take(pa.array(self.model[part])),
            **{name: pa.array([name for _, name in MODELS]).take(pa.array(self.model[part]))
               for name in ("model", "model_requested")},
            "input_tokens": pa.array(tokens), "output_tokens": pa.array(tokens // 5),
            "cost_nano_usd": pa.array(self.cost[part]), "latency_ms": pa.array(tokens // 2 + 200),
            "outcome": _words(("accepted", "accepted", "revised", "rejected"), self.cost[part] % 4),
        }  # fmt: skip
        return _batch(EVENTS, columns, count)

    def decisions(self, said: tuple[str, int], source: tuple[str, int], first: int, last: int) -> pa.RecordBatch:
        """What shadow said of them."""
        part, count = slice(first, last), last - first
        reasons, verdicts = self._reasons(part)
        times, offsets = _times(self.times_us[part]), np.arange(first, last)
        columns = {
            **self._place(said, first, last, 0),
            "decision_id": pc.binary_join_element_wise(self.ids[part], "d", ""), "tenant": pa.repeat("acme", count),
            "source": pa.repeat(_SAME["source"], count), "event_id": self.ids[part], "event_time": times,
            "decided_at": _times(self.times_us[part] + 1000 * LAG_MS), "position_topic": pa.repeat(source[0], count),
            "position_partition": pa.array(np.full(count, source[1], np.int32)),
            "position_offset": pa.array(offsets // PER_MESSAGE + len(self.begun)),
            "position_index": pa.array((offsets % PER_MESSAGE).astype(np.int32)),
            "verdict": verdicts, "engine_version": pa.repeat("bench", count),
            "cost_nano_usd": pa.array(self.cost[part]),
            "marks": pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], pa.string())),
            "judged_rules": pa.array(np.full(count, len(KINDS), np.int32)),
            "judged_set": pa.repeat(self.judged_by, count), "reasons": reasons,
        }  # fmt: skip
        return _batch(DECISIONS, columns, count)

    def _place(self, source: tuple[str, int], first: int, last: int, before: int) -> dict[str, Any]:
        numbers, count = np.arange(first, last), last - first
        return {
            "topic_id": pa.repeat(source[0], count), "partition": pa.array(np.full(count, source[1], np.int32)),
            "offset": pa.array(numbers // PER_MESSAGE + before),
            "index": pa.array((numbers % PER_MESSAGE).astype(np.int32)),
            "received_at": pa.array(self._appended_ms(numbers), pa.timestamp("ms", "UTC")),
        }  # fmt: skip

    def _appended_ms(self, numbers: Numbers) -> Numbers:
        """Of the message: a moment after its last call."""
        last = numbers // PER_MESSAGE * PER_MESSAGE + PER_MESSAGE - 1
        found: Numbers = self.times_us[np.minimum(last, len(self.times_us) - 1)] // 1000 + 50
        return found

    def _reasons(self, part: slice) -> tuple[pa.Array, pa.Array]:
        """Four rules have looked at each call; those that did not approve are told, and the budget nearest its cap."""
        cost, team = self.cost[part], self.team[part]
        caps = np.stack([self.caps[team], np.full(len(cost), DAY_CAP)], 1)
        used = np.stack([self.month_used[part], self.day_used[part]], 1)
        after = used + cost[:, None]
        budgets = np.where(after > caps, (3, 1), np.where(after * 100 >= caps * WARN_PERCENT, 1, 0))
        verdict = np.concatenate([budgets, (cost > MOST)[:, None] * 1, (cost > DEAR)[:, None] * 2], 1)
        told = verdict > 0
        share = np.where(budgets == 0, after / caps, -1.0)
        nearest = share.argmax(1)
        told[np.arange(len(cost)), nearest] |= share.max(1) >= 0
        row, kind = np.nonzero(told)
        ends = np.concatenate(([0], np.cumsum(told.sum(1)))).astype(np.int32)
        flat = self._flat(part, row, kind, verdict[row, kind])
        reasons = pa.ListArray.from_arrays(pa.array(ends), flat, type=pa.list_(REASON))
        return reasons, _words(_VERDICTS, verdict.max(1))

    def _flat(self, part: slice, row: Numbers, kind: Numbers, verdict: Numbers) -> pa.StructArray:
        cost, team, employee = (each[part][row] for each in (self.cost, self.team, self.employee))
        is_budget, is_month = kind < 2, kind == 0
        used = np.where(is_month, self.month_used[part][row], self.day_used[part][row])
        recorded = np.where(is_month, self.month_recorded[part][row], self.day_used[part][row])
        cap = np.where(is_month, self.caps[team], DAY_CAP)
        days = self.times_us[part][row].astype("datetime64[us]")
        starts, ends = (np.where(is_month, a.astype("datetime64[us]"), b.astype("datetime64[us]")) for a, b in (
            (days.astype("datetime64[M]"), days.astype("datetime64[D]")),
            (days.astype("datetime64[M]") + 1, days.astype("datetime64[D]") + 1),
        ))  # fmt: skip
        is_over, which = used + cost > cap, kind * TEAMS + team
        code = np.where(is_budget, np.where(is_over, 2, np.where(verdict > 0, 1, 0)), kind + 1)
        people = _named("employee=e{:04}", EMPLOYEES, employee)
        fields = {
            "policy": _words([each.policy for each, _ in self.begun], which),
            "staging": _words([each.staging for each, _ in self.begun], which),
            "stage": pa.repeat("shadow", len(row)), "rule": pa.array(np.zeros(len(row), np.int32)),
            "kind": _words(("budget", "budget", "boundary", "review"), kind), "verdict": _words(_VERDICTS, verdict),
            "code": _words(("within_budget", "near_cap", "over_cap", "cost_over", "review_required"), code),
            "counter": pc.if_else(pa.array(is_month), "all", pc.if_else(pa.array(is_budget), people, None)),
            "window_start": _times(starts.astype(np.int64), ~is_budget),
            "window_end": _times(ends.astype(np.int64), ~is_budget),
            "limit_nano_usd": pa.array(cap, mask=~is_budget), "used_before_nano_usd": pa.array(used, mask=~is_budget),
            "recorded_before_nano_usd": pa.array(recorded, mask=~is_budget),
            "remaining_nano_usd": pa.array(np.maximum(0, cap - used), mask=~is_budget),
            "overage_nano_usd": pa.array(np.maximum(0, used + cost - cap), mask=~is_budget),
            "reset_at": _times(ends.astype(np.int64), ~(is_budget & is_over)),
            "alerts": pa.ListArray.from_arrays(pa.array(np.zeros(len(row) + 1, np.int32)), pa.array([], pa.int32())),
        }  # fmt: skip
        return pa.StructArray.from_arrays([fields[f.name].cast(f.type) for f in REASON], fields=list(REASON))


_SAME = {
    "source": "gateway-eu", "tenant": "acme", "kind": "call", "cost_source": "priced", "status": "ok",
    "feature": "assist", "api_key_id": "key-1",
}  # fmt: skip
_VERDICTS = ("approve", "warn", "review", "deny")


def rows_of(events: int, begin: datetime, end: datetime, begun: list[tuple[Activation, bytes]], caps: Numbers) -> Rows:
    """So many calls between two instants, evenly."""
    rng = np.random.default_rng(7)
    first, step = int(begin.timestamp() * 1e6), (end - begin) // timedelta(microseconds=1) // events
    times = first + np.arange(events) * step
    employee, model = rng.integers(0, EMPLOYEES, events), rng.integers(0, len(MODELS), events)
    cost = (rng.pareto(1.5, events) * 5e6).astype(np.int64) + 100_000
    month = (times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)) * TEAMS + employee % TEAMS
    day = times // 86_400_000_000 * EMPLOYEES + employee
    return Rows(
        begin.astimezone(UTC), _set_of([each for each, _ in begun]), begun, caps, times, employee, model, cost,
        _ids(rng, events), _admitted(month, cost, caps[employee % TEAMS]), _before(month, cost), _before(day, cost),
    )  # fmt: skip


def _set_of(begun: list[Activation]) -> str:
    document = TenantDocument()
    for offset, each in enumerate(begun):
        document = activated(document, each, offset)
    return set_hash(document.stagings)


def _before(group: Numbers, cost: Numbers) -> Numbers:
    """What each group has cost before each call."""
    order = np.argsort(group, kind="stable")
    sums = np.cumsum(cost[order]) - cost[order]
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    base = np.repeat(sums[starts], np.diff(np.append(starts, len(order))))
    found = np.empty_like(cost)
    found[order] = sums - base
    return found


def _admitted(group: Numbers, cost: Numbers, cap: Numbers) -> Numbers:
    """The same, without what would have been denied."""
    sums: dict[int, int] = {}
    found = []
    for each, amount, most in zip(group.tolist(), cost.tolist(), cap.tolist(), strict=True):
        used = sums.get(each, 0)
        found.append(used)
        if used + amount <= most:
            sums[each] = used + amount
    return np.array(found, np.int64)


def _ids(rng: np.random.Generator, count: int) -> pa.Array:
    """32 hex digits each."""
    text = rng.bytes(16 * count).hex().encode()
    ends = np.arange(0, 32 * count + 1, 32, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(ends), pa.py_buffer(text)])


def _named(pattern: str, count: int, numbers: Numbers) -> pa.Array:
    return _words([pattern.format(n) for n in range(count)], numbers)


def _words(words: Any, numbers: Numbers) -> pa.Array:
    return pa.array(list(words)).take(pa.array(numbers))


def _times(us: Numbers, mask: Any = None) -> pa.Array:
    return pa.array(us, pa.timestamp("us"), mask=mask).cast(TIME)


def _batch(schema: pa.Schema, columns: dict[str, Any], count: int) -> pa.RecordBatch:
    arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
