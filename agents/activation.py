"""Applying an activation: the seed first, under fresh keys; then one call records the staging and moves the mark."""

import logging
from dataclasses import dataclass

import msgspec

from agents import metrics, policy_metrics
from agents.faults import fault_point
from agents.outlet import Outlet
from agents.partition import MarkMoved, PartitionJudge
from agents.policies import Documents
from agents.rebuild import Rebuild
from agents.steps import Step
from spendgate.engine.clock import tick
from spendgate.engine.names import staging_prefix
from spendgate.engine.seed import Seeder
from spendgate.engine.staging import TenantDocument, activated, ended_by, is_void, set_hash, settings_of
from spendgate.model.activation import Activation
from window_counters.documents import document_names, whole
from window_counters.protocol import Change, CounterStore, Read

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Activator:
    """Passes activations of a partition's log, live and in a rebuild, by the same rules."""

    store: CounterStore
    documents: Documents
    rebuild: Rebuild
    outlet: Outlet

    async def activate(self, judge: PartitionJudge, step: Step, activation: Activation, *, live: bool) -> None:
        """Apply one activation. Raises MarkMoved, StoreUnavailable, Transient (its document is not there yet)."""
        before = await self._document(judge, activation.tenant)
        clock = tick(before.clock, settings_of(before), step.received_ms)
        timed = msgspec.structs.replace(before, **clock._asdict())
        after = activated(timed, activation, step.last)
        dropped = [
            slot
            for staging in ([] if is_void(before, activation) else ended_by(before, activation))
            for slot in await self.store.slots(judge.id, activation.tenant, staging_prefix(activation.tenant, staging))
        ]
        seed = await self._seed(judge, activation, timed, after)
        if live and set_hash(after.stagings) != set_hash(before.stagings):
            await self.outlet.name_set(after.stagings)
        change = Change(
            mark=judge.mark_at(step.last),
            tenants=whole(activation.tenant, after, step.last),
            expiries={activation.tenant: seed.expiries} if seed is not None and seed.expiries else {},
            drop_slots={activation.tenant: dropped} if dropped else {},
        )
        if not await self.store.apply(judge.id, judge.mark, change):
            raise MarkMoved
        judge.moved(change.mark)
        judge.admit(activation.tenant, after, self.documents.known)
        await fault_point("activated")
        if live:
            metrics.ACTIVATIONS.labels(activation.action).inc()
            _tell(activation, before, after, step.received_ms)
            log.info("tenant %s: %s, %d in force", activation.tenant, activation.action, len(after.stagings))

    async def _document(self, judge: PartitionJudge, tenant: str) -> TenantDocument:
        known = judge.known(tenant)
        if known is not None:
            return known
        snapshot = await self.store.read(judge.id, Read(tenants=document_names([tenant])))
        judge.require_mark(snapshot)
        document = judge.document(snapshot, tenant)
        await self.documents.require(staging.hash for staging in document.stagings)
        return document

    async def _seed(
        self, judge: PartitionJudge, activation: Activation, timed: TenantDocument, after: TenantDocument
    ) -> Seeder | None:
        """Write the seed of the staging that this activation begins, if it begins one."""
        begun = [staging for staging in after.stagings if staging not in timed.stagings]
        if activation.action != "stage" or not begun:
            return None
        staging = begun[0]
        policies = await self.documents.require([staging.hash])
        await fault_point("seeding")
        seed = await self.rebuild.seed(judge.id.partition, activation.tenant, staging, policies[staging.hash], timed)
        await self.store.put(judge.id, seed.cells)
        await fault_point("seeded")
        return seed


def _tell(activation: Activation, before: TenantDocument, after: TenantDocument, at_ms: int) -> None:
    """Tell of what became of stagings, by policy; a void record tells of nothing."""
    if activation.action != "settings" and before.passed != after.passed:
        ended = {s.policy for s in before.stagings if s.staging in ended_by(before, activation)}
        named = {s.policy for s in (*before.stagings, *after.stagings) if s.staging == activation.staging}
        for policy, action in [*((each, "end") for each in ended), *((each, activation.action) for each in named)]:
            policy_metrics.note_activation(activation.tenant, policy, action, at_ms)
