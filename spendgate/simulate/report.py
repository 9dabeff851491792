"""The report of a run as one JSON document: the same inputs give the same bytes."""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from spendgate.engine.calls import EPOCH
from spendgate.engine.rules import LIFETIME, ROLLING, Int
from spendgate.engine.stream import WindowRow
from spendgate.engine.stream_state import NEVER_MS
from spendgate.engine.version import ENGINE_VERSION
from spendgate.engine.windows import HOUR_MS
from spendgate.ledger.amendments import EVIDENCE, OUTCOMES
from spendgate.model.canonical import policy_hash
from spendgate.model.decision import VERDICTS
from spendgate.simulate.grouping import CALLS, NANO_USD
from spendgate.simulate.review_queue import Reviewers, queue
from spendgate.simulate.rule_words import kind_of, rule_words
from spendgate.simulate.run import Judge, Run
from spendgate.simulate.tally import ACCEPTED, OWNERS, REVIEW, Tally, verdicts_of

KIND = "spendgate.simulation/v1"
MAX_WINDOWS = 1000
MAX_LOST = 50


@dataclass(frozen=True, slots=True)
class About:
    """What a report says of its making. ``extras``: sections that other parts fill in, such as sweep and compare."""

    command: Sequence[str]
    source: Mapping[str, object]
    options: Mapping[str, object]
    refused_rows: int = 0
    refused_nano_usd: int | None = None
    reviewers: Reviewers | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)


def report_of(run: Run, about: About) -> dict[str, Any]:
    """The report; money in integer nano-USD, instants in RFC 3339."""
    tally = run.tally
    found = [_Row(tenant, judge, row) for tenant, judge in sorted(run.judges.items()) for row in judge.rows()]
    first_ms = tally.first_ms or 0
    return {
        "report": KIND,
        "engine_version": ENGINE_VERSION,
        "command": list(about.command),
        "policies": [{"name": p.metadata.name, "version": policy_hash(p)} for p in run.policies],
        "source": {**about.source, "rows": tally.rows},
        "options": dict(about.options),
        "history": _history(run, about),
        "verdicts": {"closed": verdicts_of(tally.closed.totals[0]), "open": verdicts_of(tally.open.totals[0])},
        "by_policy": list(_by_policy(run)),
        "rules": list(_rules(run)),
        "owners": {name: _owners(tally, name) for name in OWNERS},
        "windows": _windows(run, heapq.nsmallest(MAX_WINDOWS, found, key=_worst_first), first_ms),
        "windows_total": len(found),
        "windows_breached": sum(each.row.breaches > 0 for each in found),
        "windows_partial": sum(_is_partial(each.row, first_ms) for each in found),
        "outcomes": _outcomes(tally),
        "reviews": _reviews(tally, about.reviewers),
        "days": [{"day": _day(day), **verdicts_of(totals)} for day, totals in sorted(tally.days.items())],
        "unpriced": _unpriced(tally),
        "prices": None, "timeline": None, "sweep": None, "suggest": None, "compare": None, "lint": [],
        **about.extras,
    }  # fmt: skip


def encode(report: Mapping[str, Any]) -> str:
    """A report as text, the same bytes for the same report."""
    return json.dumps(report, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def instant(at_ms: int) -> str:
    """An instant in ms as RFC 3339."""
    return (EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _day(day: int) -> str:
    return (EPOCH + timedelta(days=day)).date().isoformat()


def _history(run: Run, about: About) -> dict[str, Any]:
    tally = run.tally
    return {
        "from": None if tally.first_ms is None else instant(tally.first_ms),
        "to": None if tally.last_ms is None else instant(tally.last_ms),
        "tenants": len(run.judges),
        "calls": tally.calls,
        "duplicates": tally.duplicates,
        "annotations": tally.annotations,
        "late": tally.late,
        "unpriced_calls": tally.unpriced,
        "refused_rows": about.refused_rows,
        "refused_nano_usd": about.refused_nano_usd,
    }


def _by_policy(run: Run) -> Iterator[dict[str, Any]]:
    judges = list(run.judges.values())
    for number, policy in enumerate(run.policies):
        totals = sum((judge.totals[number] for judge in judges), np.zeros((2, len(VERDICTS), 2), np.int64))
        yield {
            "policy": policy.metadata.name,
            "version": policy_hash(policy),
            "looked": int(totals[0, :, CALLS].sum()),
            "closed": verdicts_of(totals[0]),
            "open": verdicts_of(totals[1]),
        }


def _rules(run: Run) -> Iterator[dict[str, Any]]:
    judges, row = list(run.judges.values()), 0
    for policy in run.policies:
        for number, rule in enumerate(policy.spec.rules):
            hits = [sum(int(judge.rule_hits[row, column]) for judge in judges) for column in range(5)]
            counted = dict(zip((*VERDICTS, "looked"), hits, strict=True))
            yield {
                "policy": policy.metadata.name,
                "rule": number,
                "kind": kind_of(rule),
                "words": rule_words(rule),
                **counted,
            }
            row += 1


def _owners(tally: Tally, name: str) -> list[dict[str, Any]]:
    groups, values = tally.owners[name], tally.names[name].values
    sums = groups.totals.sum(axis=1).tolist()  # once for all: there may be thousands
    rows = [
        {
            "value": value,
            "calls": sums[at][CALLS],
            "cost_nano_usd": sums[at][NANO_USD],
            "closed": closed,
            "lost_accepted": lost,
        }
        for at, (value, closed, lost) in enumerate(
            zip(values, map(verdicts_of, groups.totals.tolist()), groups.lost[:, CALLS].tolist(), strict=False)
        )
        if sums[at][CALLS]
    ]
    return sorted(rows, key=_by_denied)


def _by_denied(row: Mapping[str, Any]) -> tuple[int, int, str]:
    return (-row["closed"]["deny"]["cost_nano_usd"], -row["cost_nano_usd"], row["value"] or "")


class _Row(NamedTuple):
    """A window, and whose it is."""

    tenant: str
    judge: Judge
    row: WindowRow


def _worst_first(each: _Row) -> tuple[Any, ...]:
    row = each.row
    return (-row.breached_nano_usd, -row.recorded_nano_usd, each.tenant, row.rule, row.span or (0, 0), _KeyOf(each))


class _KeyOf:
    """The key's text, made only where all else is equal. Its number would tell how the history was cut."""

    def __init__(self, each: _Row) -> None:
        self._each = each

    @property
    def text(self) -> str:
        return self._each.judge.key(self._each.row.rule, self._each.row.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _KeyOf) and self.text == other.text

    def __lt__(self, other: "_KeyOf") -> bool:
        return self.text < other.text


def _is_partial(row: WindowRow, first_ms: int) -> bool:
    return row.span is not None and row.span[0] < first_ms


def _windows(run: Run, rows: Sequence[_Row], first_ms: int) -> list[dict[str, Any]]:
    places = [(policy.metadata.name, rule) for policy in run.policies for rule in range(len(policy.spec.rules))]
    return [_window(tenant, judge, row, *places[row.rule], first_ms) for tenant, judge, row in rows]


def _window(tenant: str, judge: Judge, row: WindowRow, policy: str, rule: int, first_ms: int) -> dict[str, Any]:
    kind = int(judge.program.rules.rows["window"][row.rule])
    breached = row.breached_ms != NEVER_MS
    return {
        "tenant": tenant, "policy": policy, "rule": rule, "key": judge.key(row.rule, row.key),
        "kind": "rolling" if kind == ROLLING else "lifetime" if kind == LIFETIME else "calendar",
        "start": None if row.span is None else instant(row.span[0]),
        "end": None if row.span is None else instant(row.span[1]),
        "partial": _is_partial(row, first_ms),
        "cap_nano_usd": int(judge.program.rules.rows["cap"][row.rule]),
        "used_nano_usd": row.admitted_nano_usd, "recorded_nano_usd": row.recorded_nano_usd, "calls": row.calls,
        "first_breach": instant(row.breached_ms) if breached else None,
        "hours_left": None if row.span is None or not breached else _hours(row.span[1] - row.breached_ms),
        "over_cap_calls": row.breaches, "over_cap_nano_usd": row.breached_nano_usd, "denied_calls": row.denied_calls,
    }  # fmt: skip


def _hours(ms: int) -> str:
    tenths = ms * 10 // HOUR_MS
    return f"{tenths // 10}.{tenths % 10}"


def _outcomes(tally: Tally) -> dict[str, Any]:
    words = (*OUTCOMES, "unstated")
    refused = slice(tally.refused_from, None)
    before, after = _per_accepted(tally.outcomes.totals), _per_accepted(tally.outcomes.totals[:, : tally.refused_from])
    return {
        "all": {word: _sums(tally.outcomes.totals[at].sum(axis=0)) for at, word in enumerate(words)},
        "denied": {word: _sums(tally.outcomes.totals[at, refused].sum(axis=0)) for at, word in enumerate(words)},
        "cost_per_accepted_nano_usd": {"before": before, "after": after},
        "lost_accepted_by_owner": _lost(tally),
        "evidence_of_denied": {
            word: int(tally.evidence.totals[at, refused, CALLS].sum())
            for at, word in enumerate((*EVIDENCE, "unstated"))
        },
    }


def _per_accepted(totals: Int) -> int | None:
    accepted = int(totals[ACCEPTED, :, CALLS].sum())
    return int(totals[..., NANO_USD].sum()) // accepted if accepted else None


def _sums(pair: Int) -> dict[str, int]:
    return {"calls": int(pair[CALLS]), "cost_nano_usd": int(pair[NANO_USD])}


def _lost(tally: Tally) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"field": name, "value": value, **_sums(tally.owners[name].lost[at])}
        for name in OWNERS
        for at, value in enumerate(tally.names[name].values[: len(tally.owners[name].lost)])
        if tally.owners[name].lost[at, CALLS]
    ]
    return sorted(rows, key=lambda row: (-row["calls"], -row["cost_nano_usd"], row["field"], row["value"] or ""))[
        :MAX_LOST
    ]


def _reviews(tally: Tally, reviewers: Reviewers | None) -> dict[str, Any]:
    reviews = np.concatenate([*tally.reviews_ms, np.zeros((2, 0), np.int64)], axis=1)
    arrivals, patiences = reviews[:, np.lexsort(reviews[::-1])]
    hours, counts = np.unique(arrivals // HOUR_MS, return_counts=True)
    busiest = int(counts.argmax()) if len(counts) else None
    span_hours = max(1, -(-((tally.last_ms or 0) - (tally.first_ms or 0)) // HOUR_MS))
    return {
        "calls": len(arrivals),
        "cost_nano_usd": int(tally.closed.totals[0, REVIEW, NANO_USD]),
        "busiest_hour": None
        if busiest is None
        else {"start": instant(int(hours[busiest]) * HOUR_MS), "calls": int(counts[busiest])},
        "per_hour_mean": _hundredths(len(arrivals) * 100 // span_hours),
        "queue": None if reviewers is None else _queue(arrivals, patiences, reviewers),
    }


def _hundredths(value: int) -> str:
    return f"{value // 100}.{value % 100:02}"


def _queue(arrivals: Int, patiences: Int, reviewers: Reviewers) -> dict[str, Any]:
    found = queue(arrivals, patiences, reviewers)
    return {
        "reviewers": reviewers.count,
        "minutes_each": reviewers.minutes,
        "longest": found.longest,
        "longest_wait_minutes": found.longest_wait_ms // 60_000,
        "expired": found.expired,
    }


def _unpriced(tally: Tally) -> list[dict[str, Any]]:
    rows = [{"vendor": v, "model": m, "calls": n} for (v, m), n in tally.unpriced_models.items()]
    return sorted(rows, key=lambda row: (-row["calls"], row["vendor"] or "", row["model"] or ""))
