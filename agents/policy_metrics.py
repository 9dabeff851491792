"""What the shadow agent counts by tenant and policy; see ``telemetry.labels`` for how many there may be."""

from collections.abc import Collection, Hashable, Sequence
from typing import Any

from prometheus_client import REGISTRY, Counter, Gauge

from agents.fullest import Fullest
from spendgate.model.decision import VERDICTS, Decision, Verdict
from telemetry.labels import LABELS

CALLS = Counter("spendgate_tenant_calls", "Calls judged, by tenant and would-be verdict", ["tenant", "verdict"])
COST = Counter("spendgate_tenant_cost_nano_usd", "What they cost, in nano-USD", ["tenant", "verdict"])
VERDICTS_GIVEN = Counter(
    "spendgate_policy_verdicts", "Verdicts of a policy on calls, but for approvals: the worst of its rules",
    ["tenant", "policy", "stage", "verdict"],
)  # fmt: skip
VERDICTS_COST = Counter(
    "spendgate_policy_cost_nano_usd", "What the calls of those verdicts cost, in nano-USD",
    ["tenant", "policy", "stage", "verdict"],
)  # fmt: skip
CHANGED = Gauge(
    "spendgate_stage_changed_timestamp_seconds", "When an action on a policy's staging was last appended to the log",
    ["tenant", "policy", "action"],
)  # fmt: skip
FULLEST = Fullest(LABELS)
REGISTRY.register(FULLEST)

_Verdict = tuple[str, str, str, Verdict]
"""Tenant, policy, stage, verdict."""
_Sums = dict[Any, list[int]]
"""How many calls, and what they cost together."""


def count(decisions: Sequence[Decision]) -> None:
    """Count one applied batch."""
    calls: _Sums = {}
    given: _Sums = {}
    for decision in decisions:
        nano_usd, verdict = decision.cost_nano_usd or 0, decision.verdict
        _add(calls, (decision.tenant, verdict), nano_usd)
        if verdict != "approve":
            for place in verdicts_of(decision):
                _add(given, place, nano_usd)
    for (tenant, verdict), (number, cost) in calls.items():
        CALLS.labels(LABELS.tenant(tenant), verdict).inc(number)
        COST.labels(LABELS.tenant(tenant), verdict).inc(cost)
    for (tenant, policy, stage, verdict), (number, cost) in given.items():
        VERDICTS_GIVEN.labels(*LABELS.policy(tenant, policy), stage, verdict).inc(number)
        VERDICTS_COST.labels(*LABELS.policy(tenant, policy), stage, verdict).inc(cost)
    FULLEST.note(decisions)


def _add(sums: _Sums, place: Hashable, nano_usd: int) -> None:
    known = sums.get(place)
    if known is None:
        sums[place] = [1, nano_usd]
    else:
        known[0] += 1
        known[1] += nano_usd


def verdicts_of(decision: Decision) -> Collection[_Verdict]:
    """What each policy that did not approve said of the call: the worst of its rules."""
    said = [each for each in decision.reasons if each.verdict != "approve"]
    if len(said) == 1:
        return ((decision.tenant, said[0].policy, said[0].stage, said[0].verdict),)
    worst: dict[tuple[str, str], int] = {}
    for reason in said:
        place = reason.policy, reason.stage
        worst[place] = max(worst.get(place, 0), VERDICTS.index(reason.verdict))
    return {(decision.tenant, policy, stage, VERDICTS[at]) for (policy, stage), at in worst.items()}


def note_activation(tenant: str, policy: str, action: str, at_ms: int) -> None:
    """An action on a policy's staging was passed; its counters begin at 0, so that the first of each is seen."""
    labels = LABELS.policy(tenant, policy)
    CHANGED.labels(*labels, action).set(at_ms / 1000)
    for verdict in VERDICTS:
        CALLS.labels(LABELS.tenant(tenant), verdict)
        COST.labels(LABELS.tenant(tenant), verdict)
        for stage in ("shadow", "enforced"):
            if verdict != "approve":
                VERDICTS_GIVEN.labels(*labels, stage, verdict)
                VERDICTS_COST.labels(*labels, stage, verdict)
