"""A store in this process: the model that the conformance suite holds the real servers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spendgate.engine.names import Window
from window_counters.limits import MAX_DUE, pack_identities, require_cells, require_change
from window_counters.protocol import Change, Look, Mark, PartitionId, Read, Snapshot, Sums


@dataclass(slots=True)
class _Partition:
    mark: Mark | None = None
    tenants: dict[str, bytes] = field(default_factory=dict)
    identities: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    cells: dict[str, dict[str, int]] = field(default_factory=dict)
    expiries: dict[str, dict[str, int]] = field(default_factory=dict)

    def known(self, tenant: str, hours: Sequence[int], identities: Sequence[int]) -> dict[int, int]:
        found: dict[int, int] = {}
        for hour in hours:
            filed = self.identities.get((tenant, hour), ())
            found.update((identity, hour) for identity in identities if identity in filed)
        return found

    def due(self, tenant: str, instant_ms: int) -> list[str]:
        expired = [(ms, slot) for slot, ms in self.expiries.get(tenant, {}).items() if ms <= instant_ms]
        return [slot for _, slot in sorted(expired)[:MAX_DUE]]

    def sums(self, change: Change) -> dict[str, dict[str, int]]:
        sums = {}
        for slot, deltas in change.increments.items():
            cells = self.cells.get(slot, {})
            sums[slot] = {name: cells.get(name, 0) + delta for name, delta in deltas.items()}
            require_cells(sums[slot].values())
        return sums

    def sum(self, window: Window, keys: Sequence[str], which: int) -> int:
        """``which``: 0 for the admitted sums, 1 for the recorded ones."""
        return sum(
            self.cells.get(slot, {}).get(head + keys[window.key], 0)
            for slot, heads in window.slots
            for head in heads[which::2]
        )

    def add(self, cells: Mapping[str, Mapping[str, int]]) -> None:
        for slot, values in cells.items():
            if values:
                self.cells.setdefault(slot, {}).update(values)

    def remember(self, change: Change) -> None:
        for tenant, hours in change.identities.items():
            for hour, identities in hours.items():
                self.identities.setdefault((tenant, hour), set()).update(identities)
        for tenant, expiries in change.expiries.items():
            self.expiries.setdefault(tenant, {}).update(expiries)

    def drop(self, change: Change) -> None:
        for tenant, slots in change.drop_slots.items():
            for slot in slots:
                self.cells.pop(slot, None)
                self.expiries.get(tenant, {}).pop(slot, None)
        for tenant, hours in change.drop_hours.items():
            for hour in hours:
                self.identities.pop((tenant, hour), None)


def _require_fit(change: Change) -> None:
    require_change(change)
    for hours in change.identities.values():
        for identities in hours.values():
            pack_identities(identities)


class MemoryStore:
    """A CounterStore in dicts; what it holds is gone with the process. Calls are of one instant, for none waits."""

    def __init__(self) -> None:
        self._partitions: dict[PartitionId, _Partition] = {}

    def _of(self, partition: PartitionId) -> _Partition:
        return self._partitions.setdefault(partition, _Partition())

    async def check_fit(self) -> None:
        """A dict never evicts."""

    async def read(self, partition: PartitionId, wanted: Read) -> Snapshot:
        """See CounterStore.read."""
        held = self._of(partition)
        return Snapshot(
            mark=held.mark,
            tenants={name: held.tenants[name] for name in wanted.tenants if name in held.tenants},
            known={
                tenant: held.known(tenant, hours, identities)
                for tenant, (hours, identities) in wanted.identities.items()
            },
            cells={
                slot: [held.cells.get(slot, {}).get(name, 0) for name in names] for slot, names in wanted.cells.items()
            },
            due={tenant: held.due(tenant, instant_ms) for tenant, instant_ms in wanted.due.items()},
        )

    async def sums(self, partition: PartitionId, look: Look, keys: Sequence[str]) -> Sums:
        """See CounterStore.sums."""
        held = self._of(partition)
        found = [held.sum(window, keys, which) for window in look.windows for which in (0, 1)]
        return Sums(held.mark, {name: held.tenants[name] for name in look.tenants if name in held.tenants}, found)

    async def apply(self, partition: PartitionId, seen: Mark | None, change: Change) -> bool:
        """See CounterStore.apply."""
        held = self._of(partition)
        _require_fit(change)
        if held.mark != seen:
            return False
        held.add(held.sums(change))
        held.remember(change)
        held.tenants.update(change.tenants)
        held.drop(change)
        held.mark = change.mark
        return True

    async def put(self, partition: PartitionId, cells: Mapping[str, Mapping[str, int]]) -> None:
        """See CounterStore.put."""
        for values in cells.values():
            require_cells(values.values())
        self._of(partition).add(cells)

    async def slots(self, partition: PartitionId, tenant: str, prefix: str) -> Sequence[str]:
        """See CounterStore.slots."""
        expiries = self._of(partition).expiries.get(tenant, {})
        return sorted(slot for slot in expiries if slot.startswith(prefix))

    async def dump(self, partition: PartitionId, slots: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See CounterStore.dump."""
        held = self._of(partition).cells
        return {slot: dict(held.get(slot, {})) for slot in slots}

    async def close(self) -> None:
        """Nothing to give back."""
