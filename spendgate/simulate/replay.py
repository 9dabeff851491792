"""Replay of a log: the same engine, order and seeds as the live path, all in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from spendgate.engine.calls import Calls
from spendgate.engine.decisions import Source
from spendgate.engine.names import staging_prefix
from spendgate.engine.seed import Replay, Seeder, Survey, seed_instant_ms
from spendgate.engine.staging import Staging, TenantDocument, ended_by, is_void
from spendgate.engine.tenant import Tenant
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy

Step = Calls | tuple[Activation, int]
"""A stretch of calls, or an activation with the broker's time of it (ms)."""


@dataclass(slots=True)
class _Past:
    """One tenant's part of the log so far, its judge, and its counters as a store would have them."""

    judge: Tenant
    steps: list[Step] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)
    cells: dict[str, dict[str, int]] = field(default_factory=dict)
    expiries: dict[str, int] = field(default_factory=dict)


class LogReplay:
    """Feed it a partition's log in order; it answers with the decisions that the live path owes.

    ``policies`` by hash must hold every policy that an activation names. The past is kept, for seeds.
    """

    def __init__(self, source: Source, policies: Mapping[str, Policy], decided_at: datetime) -> None:
        self._source = source
        self._policies = policies
        self._decided_at = decided_at
        self._pasts: dict[str, _Past] = {}
        self.duplicates = 0

    def pass_calls(self, tenant: str, calls: Calls) -> list[Decision]:
        """The decisions of a stretch of one tenant's log."""
        past = self._past(tenant)
        past.steps.append(calls)
        judge = past.judge
        prepared = judge.prepare(calls)
        judge.load(
            {
                slot: [past.cells[slot].get(name, 0) for name in fields]
                for slot, fields in judge.unloaded().items()
                if slot in past.cells
            }
        )
        judged, changes = judge.judge(prepared, past.known)
        self.duplicates += changes.duplicates
        for hour, identities in changes.identities.items():
            past.known.update(dict.fromkeys(identities, hour))
        for slot, fields in changes.increments.items():
            sums = past.cells.setdefault(slot, {})
            for name, added in fields.items():
                sums[name] = sums.get(name, 0) + added
        past.expiries |= changes.expiries
        return judge.decisions(self._source, judged, self._decided_at)

    def pass_activation(self, activation: Activation, offset: int, received_ms: int) -> None:
        """Begin, change or end a staging, or change settings."""
        past = self._past(activation.tenant)
        before = past.judge.document
        ended = [] if is_void(before, activation) else ended_by(before, activation)
        past.judge.activate(activation, offset, received_ms)
        begun = [staging for staging in past.judge.document.stagings if staging.offset == offset]
        if activation.action == "stage" and begun and not is_void(before, activation):
            self._seed(past, begun[0])
        for staging in ended:
            self._drop(past, staging_prefix(activation.tenant, staging))
        past.steps.append((activation, received_ms))

    def cells(self, tenant: str) -> Mapping[str, Mapping[str, int]]:
        """Every slot of the tenant's stagings in force that a verdict can still read: field to nano-USD."""
        past = self._past(tenant)
        late_ms = past.judge.document.late_ms
        return {slot: cells for slot, cells in past.cells.items() if past.expiries[slot] > late_ms}

    def document(self, tenant: str) -> TenantDocument:
        """The tenant's document as it stands now."""
        return self._past(tenant).judge.document

    def tenants(self) -> list[str]:
        """The tenants seen."""
        return sorted(self._pasts)

    def _past(self, tenant: str) -> _Past:
        past = self._pasts.get(tenant)
        if past is None:
            past = self._pasts[tenant] = _Past(Tenant(tenant, TenantDocument(), self._policies))
        return past

    def _seed(self, past: _Past, staging: Staging) -> None:
        document, policy = past.judge.document, self._policies[staging.hash]
        if seed_instant_ms(policy, document.late_ms) is None:
            return
        survey = Survey(past.judge.name)
        for step in past.steps:
            if isinstance(step, Calls):
                survey.find_corrections(step)
        if survey.corrections:
            _run(survey, past.steps)
        seeder = Seeder(past.judge.name, staging, policy, document.late_ms, survey.costs())
        _run(seeder, past.steps)
        past.cells |= seeder.cells
        past.expiries |= seeder.expiries

    def _drop(self, past: _Past, prefix: str) -> None:
        for slot in [slot for slot in past.cells if slot.startswith(prefix)]:
            del past.cells[slot]
            del past.expiries[slot]


def _run(replay: Replay, steps: list[Step]) -> None:
    for step in steps:
        if isinstance(step, Calls):
            replay.pass_calls(step)
        else:
            replay.pass_activation(*step)
