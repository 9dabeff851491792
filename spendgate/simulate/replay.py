"""Replay of a log: the same engine, order and seeds as the live path, all in memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from spendgate.engine.calls import Calls
from spendgate.engine.compile import Program
from spendgate.engine.decisions import Judgement, Source
from spendgate.engine.names import staging_prefix
from spendgate.engine.seed import Replay, Seeder, Survey, seed_instant_ms
from spendgate.engine.staging import Staging, TenantDocument, ended_by, is_void
from spendgate.engine.tenant import Tenant
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision
from spendgate.model.policy import Policy
from spendgate.simulate.checkpoint import TenantState

Step = Calls | tuple[Activation, int]
"""A stretch of calls, or an activation with the broker's time of it (ms)."""

Past = Callable[[str, int], Iterable[Step]]
"""A tenant's log from its first record to before an offset; asked several times for one seed."""


@dataclass(slots=True)
class _Present:
    """One tenant's judge, its counters as a store would have them, and its log so far if nobody else keeps it."""

    judge: Tenant
    steps: list[Step] = field(default_factory=list)
    known: dict[int, int] = field(default_factory=dict)
    cells: dict[str, dict[str, int]] = field(default_factory=dict)
    expiries: dict[str, int] = field(default_factory=dict)


class LogReplay:
    """Feed it a partition's log in order; it answers with the decisions that the live path owes.

    ``policies`` by hash must hold every policy that an activation names. ``past`` is where seeds read what was before
    an activation; without it, everything passed is kept in memory for them.
    """

    def __init__(
        self, source: Source, policies: Mapping[str, Policy], decided_at: datetime, past: Past | None = None
    ) -> None:
        self._source = source
        self._policies = policies
        self._decided_at = decided_at
        self._presents: dict[str, _Present] = {}
        self._past = past
        self.duplicates = 0

    def pass_calls(self, tenant: str, calls: Calls) -> list[Decision]:
        """The decisions of a stretch of one tenant's log."""
        return self.decisions(tenant, self.judge(tenant, calls))

    def decisions(self, tenant: str, judged: Judgement) -> list[Decision]:
        """What was judged as decisions; under the program that has judged it, so before the next activation."""
        return self._present(tenant).judge.decisions(self._source, judged, self._decided_at)

    def program(self, tenant: str) -> Program:
        """The rules that have judged the tenant's last calls."""
        return self._present(tenant).judge.program

    def pass_activation(self, activation: Activation, offset: int, received_ms: int) -> None:
        """Begin, change or end a staging, or change settings."""
        present = self._present(activation.tenant)
        before = present.judge.document
        ended = [] if is_void(before, activation) else ended_by(before, activation)
        present.judge.activate(activation, offset, received_ms)
        begun = [staging for staging in present.judge.document.stagings if staging.offset == offset]
        if activation.action == "stage" and begun and not is_void(before, activation):
            self._seed(present, begun[0])
        for staging in ended:
            self._drop(present, staging_prefix(activation.tenant, staging))
        if self._past is None:
            present.steps.append((activation, received_ms))

    def cells(self, tenant: str) -> Mapping[str, Mapping[str, int]]:
        """Every slot of the tenant's stagings in force that a verdict can still read: field to nano-USD."""
        present = self._present(tenant)
        late_ms = present.judge.document.late_ms
        return {slot: cells for slot, cells in present.cells.items() if present.expiries[slot] > late_ms}

    def slots(self, tenant: str, names: Iterable[str]) -> dict[str, Mapping[str, int]]:
        """Those of the named slots that there are, whether or not a verdict can still read them."""
        cells = self._present(tenant).cells
        return {name: cells[name] for name in names if name in cells}

    def filed(self, tenant: str, hour: int) -> int:
        """How many of the tenant's identities are filed under an hour."""
        return sum(each == hour for each in self._present(tenant).known.values())

    def document(self, tenant: str) -> TenantDocument:
        """The tenant's document as it stands now."""
        return self._present(tenant).judge.document

    def tenants(self) -> list[str]:
        """The tenants seen."""
        return sorted(self._presents)

    def state(self, tenant: str) -> TenantState:
        """All that the log so far has left of a tenant: what ``restore`` needs to go on from here."""
        present, document, cells = self._present(tenant), self.document(tenant), self.cells(tenant)
        known = {each: hour for each, hour in present.known.items() if hour >= document.duplicate_hour}
        return TenantState(document, known, cells, {slot: present.expiries[slot] for slot in cells})

    def restore(self, tenant: str, state: TenantState) -> None:
        """Take over a tenant as a log before this one has left it; needs ``past`` for the seeds still to come."""
        judge = Tenant(tenant, state.document, self._policies)
        cells = {slot: dict(fields) for slot, fields in state.cells.items()}
        self._presents[tenant] = _Present(judge, [], dict(state.known), cells, dict(state.expiries))

    def judge(self, tenant: str, calls: Calls) -> Judgement:
        """As ``pass_calls``, for the counters, and for who looks at the records themselves."""
        present = self._present(tenant)
        if self._past is None:
            present.steps.append(calls)
        judge = present.judge
        prepared = judge.prepare(calls)
        judge.load(
            {
                slot: [present.cells[slot].get(name, 0) for name in fields]
                for slot, fields in judge.unloaded().items()
                if slot in present.cells
            }
        )
        judged, changes = judge.judge(prepared, present.known)
        self.duplicates += changes.duplicates
        for hour, identities in changes.identities.items():
            present.known.update(dict.fromkeys(identities, hour))
        for slot, fields in changes.increments.items():
            sums = present.cells.setdefault(slot, {})
            for name, added in fields.items():
                sums[name] = sums.get(name, 0) + added
        present.expiries |= changes.expiries
        return judged

    def _present(self, tenant: str) -> _Present:
        present = self._presents.get(tenant)
        if present is None:
            present = self._presents[tenant] = _Present(Tenant(tenant, TenantDocument(), self._policies))
        return present

    def _seed(self, present: _Present, staging: Staging) -> None:
        tenant, document, policy = present.judge.name, present.judge.document, self._policies[staging.hash]
        if not document.calls or seed_instant_ms(policy, document.late_ms) is None:
            return
        survey = Survey(tenant)
        if document.corrections:
            for step in self._before(tenant, staging.offset):
                if isinstance(step, Calls):
                    survey.find_corrections(step)
            _run(survey, self._before(tenant, staging.offset))
        seeder = Seeder(tenant, staging, policy, document.late_ms, survey.costs())
        _run(seeder, self._before(tenant, staging.offset))
        present.cells |= seeder.cells
        present.expiries |= seeder.expiries

    def _before(self, tenant: str, offset: int) -> Iterable[Step]:
        return self._presents[tenant].steps if self._past is None else self._past(tenant, offset)

    def _drop(self, present: _Present, prefix: str) -> None:
        for slot in [slot for slot in present.cells if slot.startswith(prefix)]:
            del present.cells[slot]
            del present.expiries[slot]


def _run(replay: Replay, steps: Iterable[Step]) -> None:
    for step in steps:
        if isinstance(step, Calls):
            replay.pass_calls(step)
        else:
            replay.pass_activation(*step)
