"""An empty Redis begins at the ledger's last checkpoint instead of at the log's first record."""

import asyncio
import logging

from agents.faults import fault_point
from agents.partition import MarkMoved
from agents.past import Past, told_of_ledger
from spendgate.simulate.checkpoint import TenantState, decode_state
from spendgate.simulate.checkpoints import Start, latest
from window_counters.documents import NotOfTheMark, document_names, whole
from window_counters.protocol import Change, CounterStore, Mark, PartitionId, Read

log = logging.getLogger(__name__)


async def restored(store: CounterStore, past: Past | None, id_: PartitionId, topic_id: str, before: int) -> Mark | None:
    """Write the latest checkpoint before offset ``before`` into a store without a mark; the mark it then has.

    A checkpoint past what was judged would leave out decisions, so ``before`` is the next record to be judged. None
    where there is no such checkpoint. Raises MarkMoved, NotOfTheMark, StoreUnavailable, Transient, Fatal.
    """
    ledger = await past.log(id_.partition) if past is not None else None
    if ledger is None:
        return None
    with told_of_ledger():
        start = await asyncio.to_thread(latest, ledger, before - 1)
    if start.offset < 0:
        return None
    await _require_empty(store, id_, start)
    mark = Mark(topic_id, start.offset)
    states = {row.tenant: decode_state(row.state) for row in start.rows}
    for state in states.values():
        await store.put(id_, state.cells)
    await fault_point("restoring")
    if not await store.apply(id_, None, _change(mark, states)):
        raise MarkMoved
    log.warning("counters of partition %d begin at the ledger's checkpoint %d", id_.partition, start.offset)
    return mark


async def _require_empty(store: CounterStore, id_: PartitionId, start: Start) -> None:
    """What a store holds of these tenants without a mark would be counted twice."""
    snapshot = await store.read(id_, Read(tenants=document_names([row.tenant for row in start.rows])))
    if snapshot.mark is not None:
        raise MarkMoved
    if snapshot.tenants:
        raise NotOfTheMark("there are counters of a tenant without a mark")


def _change(mark: Mark, states: dict[str, TenantState]) -> Change:
    return Change(
        mark=mark,
        tenants={
            name: raw
            for tenant, state in states.items()
            for name, raw in whole(tenant, state.document, mark.offset).items()
        },
        expiries={tenant: state.expiries for tenant, state in states.items() if state.expiries},
        identities={tenant: state.by_hour() for tenant, state in states.items() if state.known},
    )
