"""Reading counters for an enforced check: the estimate is reserved in the same call of Redis, or the caps refuse it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from gateway_shadow.flag_watch import Watched
from spendgate.engine.counters import MAX_SUM
from spendgate.engine.enforcing import BLOCKS_FROM, Gate, fixed_verdicts, gates
from spendgate.engine.glance import Glance
from spendgate.engine.tenant import Prepared, Tenant
from spendgate.model.decision import VERDICTS, Verdict
from spendgate.model.enforcement import in_share
from spendgate.model.event import Event
from window_counters.documents import document_names
from window_counters.protocol import PartitionId, Snapshot
from window_counters.reservations import Answer, Ask, Limit, Reservations

STALE_MS = 10_000
"""How long ago the counters may have been level with the log; what is older is a fault."""


@dataclass
class Hold:
    """One check's reservation. ``watched``: by staging, what the flag says is enforced of the tenant. ``approved``:
    stagings whose review of this very call a person has approved.

    Found by ``read``: which stagings are ``enforced_in_document``, that is by the record of the log; ``fixed``, by
    staging that is enforced for the call, the verdict that no counter has a say in; and Redis's ``answer``.
    """

    reservations: Reservations
    watched: Mapping[str, Watched]
    event: Event
    approved: Collection[str] = ()
    enforced_in_document: set[str] = field(default_factory=set)
    fixed: dict[str, Verdict] = field(default_factory=dict)
    answer: Answer | None = None
    _gates: list[Gate] = field(default_factory=list)

    async def read(self, partition: PartitionId, judge: Tenant, prepared: Prepared, glance: Glance) -> Snapshot:
        """What the glance needs, what others have reserved counted as spent. Raises StoreUnavailable, StoreUnfit."""
        self.enforced_in_document = {each.staging for each in judge.program.stagings if each.stage == "enforced"}
        looking = fixed_verdicts(judge, prepared)
        asked = [name for name in looking if name in self.enforced_in_document and self._is_asked(name)]
        self.fixed = {name: looking[name] for name in asked}
        self._gates = gates(judge, prepared, glance, self.fixed)
        cells = glance.unloaded()
        self.answer = await self.reservations.ask(partition, self._ask(cells))
        return Snapshot(self.answer.mark, self.answer.documents, {}, self.with_reserved(cells, self.answer.cells), {})

    def _is_asked(self, staging: str) -> bool:
        watched = self.watched.get(staging)
        return watched is not None and in_share(watched.share, staging, self.event)

    def _ask(self, cells: Mapping[str, Sequence[str]]) -> Ask:
        tenant, cost = self.event.tenant, self.event.cost_nano_usd
        return Ask(
            check=self.event.id, tenant=tenant, documents=document_names([tenant]), cells=cells,
            stagings={name: self._blocks(name, verdict) for name, verdict in self.fixed.items()},
            limits=[self._limit(each) for each in self._gates], amount_nano_usd=cost,
            keep_ms=max((self.watched[name].keep_ms for name in self.fixed), default=0), stale_ms=STALE_MS,
        )  # fmt: skip

    def _limit(self, gate: Gate) -> Limit:
        cap = MAX_SUM if self.is_lifted(gate.staging, gate.breach) else gate.cap_nano_usd
        return Limit(gate.staging, gate.counter, cap, gate.first, gate.last)

    def _blocks(self, staging: str, verdict: Verdict) -> bool:
        return VERDICTS.index(verdict) >= BLOCKS_FROM and not self.is_lifted(staging, verdict)

    def is_lifted(self, staging: str, verdict: Verdict) -> bool:
        """Whether a person has approved what the staging wanted reviewed."""
        return verdict == "review" and staging in self.approved

    def with_reserved(
        self, wanted: Mapping[str, Sequence[str]], cells: Mapping[str, Sequence[int]]
    ) -> dict[str, Sequence[int]]:
        """The values of ``cells``, with what other checks have reserved added to the call's own cell of each budget."""
        found = dict(cells)
        reserved = self.answer.reserved_nano_usd if self.answer is not None else ()
        for gate, amount in zip(self._gates, reserved, strict=True):
            if amount and gate.slot in found:
                values = list(found[gate.slot])
                values[wanted[gate.slot].index(gate.field)] += amount
                found[gate.slot] = values
        return found

    async def release(self, partition: PartitionId) -> None:
        """Give the reservation back: the call will not be made."""
        await self.reservations.release(partition, self.event.tenant, [self.event.id])
