"""The recount itself: one record after another, in log order."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from spendgate.model.activation import Activation, SettingsChange
from spendgate.model.decision import Mark
from spendgate.model.policy import Policy
from spendgate.model.settings import Settings
from tests.oracle.documents import OracleDecision, OracleReason, Record
from tests.oracle.seed import seed
from tests.oracle.staging import Judgement, Staging, worst
from tests.oracle.tenant import Judged, Tenant
from tests.oracle.windows import last_read_ms

CounterName = tuple[str, int, int, str]
"""Staging, rule, cell (see ``OracleWindow``) and counter key."""


@dataclass
class _Ledger:
    """One tenant's part of the log, as judged so far."""

    tenant: Tenant = field(default_factory=Tenant)
    stagings: dict[str, Staging] = field(default_factory=dict)
    activations: set[str] = field(default_factory=set)


class Oracle:
    """Feed it the log, record by record; it answers each call.

    ``documents``: the policies by the hash that activations name. A staging of a hash that is not among them
    raises KeyError.
    """

    def __init__(self, documents: Mapping[str, Policy]) -> None:
        self._documents = documents
        self._ledgers: dict[str, _Ledger] = defaultdict(_Ledger)

    def feed(self, record: Record) -> OracleDecision | None:
        """The decision on a call; None for an annotation, a duplicate and an activation."""
        ledger = self._ledgers[record.body.tenant]
        ledger.tenant.witness(record.received_at_ms)
        if isinstance(record.body, Activation):
            self._activate(ledger, record.body)
            return None
        if record.body.kind != "call":
            if record.body.kind == "correction":
                ledger.tenant.corrections.append((ledger.tenant.places, record.body))
            return None
        judged = ledger.tenant.accept(record, record.body)
        return None if judged is None else _decide(ledger, judged)

    def counters(self, *, readable_only: bool = False) -> dict[CounterName, tuple[int, int]]:
        """The cells that hold anything, of stagings in force: (admitted, recorded), in nano-USD.

        ``readable_only`` leaves out those whose last window ended at or before the tenant's late horizon.
        """
        found: dict[CounterName, tuple[int, int]] = {}
        for ledger in self._ledgers.values():
            for staging in ledger.stagings.values():
                if not staging.ended:
                    found |= _cells(staging, ledger.tenant, readable_only=readable_only)
        return found

    def late_horizon_ms(self, tenant: str) -> int | None:
        """The tenant's late horizon; None before its first record."""
        return self._ledgers[tenant].tenant.late_horizon_ms

    def watermark_ms(self, tenant: str) -> int | None:
        """The tenant's watermark; None before its first record."""
        return self._ledgers[tenant].tenant.watermark_ms

    def _activate(self, ledger: _Ledger, activation: Activation) -> None:
        """Do what the activation says, unless it is void: a repeat, or about a staging that is not in force."""
        if activation.id in ledger.activations:
            return
        ledger.activations.add(activation.id)
        if activation.action == "settings":
            ledger.tenant.settings = _changed(ledger.tenant.settings, activation.settings)
        elif activation.action == "stage":
            self._stage(ledger, activation)
        else:
            _move(ledger.stagings.get(activation.staging or ""), activation)

    def _stage(self, ledger: _Ledger, activation: Activation) -> None:
        if activation.staging is None or activation.policy is None or activation.hash is None:
            raise ValueError("an activation that stages names staging, policy and hash")
        if activation.staging in ledger.stagings:
            return
        for ended in activation.ends:
            if ended in ledger.stagings:
                ledger.stagings[ended].ended = True
        policy = self._documents[activation.hash]
        staging = Staging(activation.staging, activation.policy, policy, "shadow")
        seed(staging, ledger.tenant)
        staging.stage = activation.stage
        ledger.stagings[activation.staging] = staging


def _move(staging: Staging | None, activation: Activation) -> None:
    if staging is None or staging.ended:
        return
    if activation.action == "end":
        staging.ended = True
    else:
        staging.stage = "enforced" if activation.action == "enforce" else "shadow"


def _changed(settings: Settings, change: SettingsChange | None) -> Settings:
    if change is None:
        raise ValueError("an activation that changes settings says which")
    stated = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    return settings.model_copy(update=stated)


def _decide(ledger: _Ledger, judged: Judged) -> OracleDecision:
    """The call under every staging in force, in the order of their activation."""
    call, every = judged.call, ledger.tenant.settings.reasons == "all"
    looks = [s.look(call, judged.judged_ms, late=judged.late) for s in ledger.stagings.values() if not s.ended]
    judgements: list[Judgement] = [judgement for judgement in looks if judgement is not None]
    return OracleDecision(
        verdict=worst([judgement.verdict for judgement in judgements]),
        marks=_marks(judged),
        cost_nano_usd=call.cost_nano_usd,
        check_id=call.check_id,
        judged_rules=sum(judgement.looked for judgement in judgements),
        reasons=_listed([reason for judgement in judgements for reason in judgement.reasons], every=every),
    )


def _listed(reasons: list[OracleReason], *, every: bool) -> tuple[OracleReason, ...]:
    """All that did not approve, and of those that approved the budget with the least left (reading 14)."""
    approving = [reason for reason in reasons if reason.kind == "budget" and reason.verdict == "approve"]
    nearest = min(approving, key=lambda reason: reason.remaining_nano_usd or 0, default=None)
    return tuple(r for r in reasons if every or r.verdict != "approve" or r is nearest)


def _marks(judged: Judged) -> tuple[Mark, ...]:
    marks: list[tuple[Mark, bool]] = [
        ("late", judged.late),
        ("clock_skew", judged.skewed),
        ("unpriced", judged.call.cost_nano_usd is None),
    ]
    return tuple(mark for mark, holds in marks if holds)


def _cells(staging: Staging, tenant: Tenant, *, readable_only: bool) -> dict[CounterName, tuple[int, int]]:
    found: dict[CounterName, tuple[int, int]] = {}
    for number, rule in enumerate(staging.policy.spec.rules):
        if rule.budget is None:
            continue
        for cell, key, admitted, recorded in staging.counted.totals(rule.budget):
            end = last_read_ms(rule.budget.window, cell)
            if not readable_only or end is None or end > (tenant.late_horizon_ms or 0):
                found[staging.id, number, cell, key] = admitted, recorded
    return found
