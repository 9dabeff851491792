"""What a vertical's run has found, all of it computed from what went through the door and what came back."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import msgspec

from dev.demo.afterwards import Study
from dev.demo.check import Verdict as Agreement
from dev.demo.tally import Tally
from dev.house import good
from dev.verticals.shelf import Chosen
from dev.verticals.situations import Situations
from dev.verticals.staging import Staged
from dev.verticals.tree import Node
from spendgate.model.decision import VERDICTS, Decision, Verdict
from spendgate.model.event import OWNER_FIELDS, Event


@dataclass(frozen=True)
class WouldBe:
    """What one rule would have said other than yes: how often, of how many cases, and of what cost."""

    policy: str
    rule: int
    code: str
    verdict: Verdict
    calls: int
    cases: int
    cost_nano_usd: int


@dataclass(frozen=True)
class Facts:
    """All of a run. ``until``: when its day ends. ``stories``: three calls as the door tells them. ``checks``: what
    agents that asked were told."""

    chosen: Chosen
    tenant: str
    seed: int
    until: datetime
    url: str
    history: int
    records: int
    cases: int
    staged: Sequence[Staged]
    tally: Tally
    checks: Mapping[str, int]
    situations: Situations
    would_be: Sequence[WouldBe]
    tree: Sequence[Node]
    stories: Sequence[Mapping[str, Any]]
    agreement: Agreement
    study: Study
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether live, replay and simulation agree."""
        return self.agreement.clean and not self.study.different

    def as_dict(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        agreement, study = self.agreement, self.study
        return {
            "vertical": self.chosen.name, "synthetic": True, "tenant": self.tenant, "seed": self.seed,
            "until": self.until.isoformat(),
            "history": self.history, "records": self.records, "cases": self.cases,
            "decisions": len(self.tally.decisions),
            "missing": agreement.missing, "duplicated": agreement.duplicated,
            "mismatched": agreement.mismatched + agreement.extra,
            "simulation": {"agreed": study.agreed, "different": study.different},
            "verdicts": {name: self.tally.events[name] for name in VERDICTS},
            "cost_nano_usd": sum(self.tally.nano_usd.values()), "checks": dict(self.checks),
            "situations": self.situations.as_dict(), "would_be": [vars(each) for each in self.would_be],
            "policies": [each._asdict() for each in self.staged], "tree": [each.as_dict() for each in self.tree],
            "stories": self.stories, "sweep": study.report.get("sweep"), "suggest": study.suggestion,
            "report": str(study.page), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def priced(events: Sequence[Event], tally: Tally) -> list[Event]:
    """The records with the costs that they were judged by."""
    costs = {decision.event_id: decision.cost_nano_usd for decision in tally.decisions.values()}
    return [msgspec.structs.replace(event, cost_nano_usd=costs.get(event.id)) for event in events]


def would_be(events: Sequence[Event], tally: Tally) -> list[WouldBe]:
    """By rule and code, the worst first, then the dearest."""
    case_of = {event.id: event.project for event in events}
    found: dict[tuple[str, int, str, Verdict], list[Decision]] = defaultdict(list)
    for decision in tally.decisions.values():
        for reason in decision.reasons:
            if reason.verdict != "approve":
                found[reason.policy, reason.rule, reason.code, reason.verdict].append(decision)
    rows = [
        WouldBe(*key, len(each), len({case_of[d.event_id] for d in each}), sum(d.cost_nano_usd or 0 for d in each))
        for key, each in found.items()
    ]
    return sorted(rows, key=lambda row: (-VERDICTS.index(row.verdict), -row.cost_nano_usd, row.policy))


def _codes(decision: Decision) -> set[tuple[str, str]]:
    """What was said other than yes."""
    return {(reason.verdict, reason.code) for reason in decision.reasons if reason.verdict != "approve"}


def stories(reader: httpx.Client, events: Sequence[Event], tally: Tally) -> list[dict[str, Any]]:
    """Three calls in full: one that a cap would have denied, one with evidence that does not hold, and the one of which
    it is known least whose it is."""
    codes = {decision.event_id: _codes(decision) for decision in tally.decisions.values()}
    calls = [event for event in events if event.kind == "call"]
    telling: tuple[Callable[[Event], int], ...] = (
        lambda call: ("deny", "over_cap") in codes[call.id],
        lambda call: 2 * (call.evidence_status == "failed") + (call.evidence_status == "missing"),
        lambda call: sum(getattr(call, name) is None for name in OWNER_FIELDS),
    )
    ids = dict.fromkeys(max(calls, key=key).id for key in telling)
    return [good(reader.get("/v1/story", params={"source": calls[0].source, "id": each})) for each in ids]
