"""What came up in the records of a day: found in them afterwards, by what they say, and written into none of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from dev.verticals.kit import TOOL_FAILED
from spendgate.model.decision import Decision
from spendgate.model.event import Event

COSTLIER = 5
"""A document is costlier that costs so many times what the one in the middle does."""
LOOP = 5
"""So many calls of one agent in one case whose tool did not answer are a loop."""


@dataclass(frozen=True)
class Situations:
    """Documents by their names, loops as (case, agent) with how many tries, the rest as cases. ``over_cap``: cases
    that a budget with a counter of each case found over its cap."""

    costlier_documents: Mapping[str, int]
    loops: Mapping[tuple[str, str], int]
    escalations: Sequence[str]
    evidence_missing: Sequence[str]
    evidence_failed: Sequence[str]
    over_cap: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """How many of each."""
        return {name: len(value) for name, value in asdict(self).items()}


def situations(events: Iterable[Event], decisions: Iterable[Decision]) -> Situations:
    """What came up; ``events`` with their costs."""
    known = list(events)
    calls = [event for event in known if event.kind == "call"]
    case_of = {event.id: event.project or "" for event in calls}
    return Situations(
        _costlier(calls),
        _loops(calls),
        _cases(case_of[event.refers_to or ""] for event in known if event.outcome == "escalated"),
        _cases(event.project or "" for event in calls if event.evidence_status == "missing"),
        _cases(event.project or "" for event in calls if event.evidence_status == "failed"),
        _over_cap(decisions),
    )


def _costlier(calls: Iterable[Event]) -> dict[str, int]:
    costs: Counter[str] = Counter()
    for call in calls:
        if call.task is not None and call.task.startswith("SYN-DOC-"):
            costs[call.task] += call.cost_nano_usd or 0
    usual = median(costs.values()) if costs else 0
    return {document: cost for document, cost in costs.items() if cost >= COSTLIER * usual}


def _loops(calls: Iterable[Event]) -> dict[tuple[str, str], int]:
    tries: dict[tuple[str, str], int] = defaultdict(int)
    for call in calls:
        if call.status == TOOL_FAILED:
            tries[call.project or "", call.agent or ""] += 1
    return {who: count for who, count in tries.items() if count >= LOOP}


def _over_cap(decisions: Iterable[Decision]) -> list[str]:
    return _cases(
        reason.counter.removeprefix("project=")
        for decision in decisions
        for reason in decision.reasons
        if reason.code == "over_cap"
        if reason.counter is not None and reason.counter.startswith("project=") and " " not in reason.counter
    )


def _cases(found: Iterable[str]) -> list[str]:
    return sorted(set(found))
