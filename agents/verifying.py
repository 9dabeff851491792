"""Redis against the log: every counter, identity and document of a partition, at the mark under which it was read.

Pages are read one after the other, each of one instant, and before a page is compared the replay goes on to exactly
its mark. So the worker may go on meanwhile, and what is proven is proven to the nano-dollar.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.following import Following
from agents.past import told_of_ledger
from agents.policies import Documents
from agents.rebuild import Rebuild
from spendgate.engine.decisions import Source
from spendgate.model.reconciliation_parts import CountersPart
from spendgate.model.topics import Topic
from spendgate.reconcile.counters import CountersTally, Readable
from window_counters.documents import NotOfTheMark, document_names, document_of
from window_counters.inspecting import Inspector, Names, Page
from window_counters.protocol import WITHHELD, Mark, PartitionId, Snapshot

ATTEMPTS = 3
SLOTS, IDENTITIES = 500, 20_000
"""So many of a kind are asked for at a time."""


class _WentBack(Exception):
    """The mark is behind where it was: the counters were lost or taken away meanwhile."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies partitions of ``topic``. Raises StoreUnavailable, StoreUnfit, Transient, Fatal and KafkaError."""

    topic: Topic
    topic_id: str
    inspector: Inspector
    rebuild: Rebuild
    documents: Documents

    async def verify(self, partition: int, tenant: str | None = None) -> CountersPart:
        """Compare all that a partition holds, or a tenant's part of it."""
        id_ = PartitionId(self.topic.name, partition)
        for _ in range(ATTEMPTS):
            mark = await self.inspector.mark(id_)
            problem = await self._problem(mark, partition)
            if mark is None or problem is not None:
                return CountersPart(partition=partition, topic_id=self.topic_id, mark=-1, problem=problem)
            try:
                return await self._walk(id_, tenant).run(mark)
            except _WentBack:
                continue
        return CountersPart(
            partition=partition, topic_id=self.topic_id, mark=-1,
            problem="the mark went back while it was looked at: the counters are being lost or rebuilt",
        )  # fmt: skip

    async def _problem(self, mark: Mark | None, partition: int) -> str | None:
        _, end = await self.rebuild.log.bounds(partition)
        if mark is None:
            return f"Redis holds nothing of it, and the log ends at {end - 1}" if end else None
        if mark == WITHHELD:
            return "its counters are being rebuilt"
        if mark.topic_id != self.topic_id:
            return "the counters belong to a topic of another id"
        return f"the mark is {mark.offset}, and the log ends at {end - 1}" if mark.offset >= end else None

    def _walk(self, id_: PartitionId, tenant: str | None) -> "_Walk":
        source = Source(id_.topic, self.topic_id, id_.partition)
        return _Walk(self.inspector, id_, tenant, Following(self.rebuild, self.documents, source, tenant))


class _Walk:
    """One walk over a partition."""

    def __init__(self, inspector: Inspector, id_: PartitionId, tenant: str | None, log: Following) -> None:
        self._inspector, self._id, self._tenant, self._log = inspector, id_, tenant, log
        self._tally = CountersTally()

    async def run(self, mark: Mark) -> CountersPart:
        """Compare everything; the mark is where the walk begins."""
        with told_of_ledger():
            await self._log.begin(mark.offset)
        names = await self._inspector.names(self._id)
        tenants = [self._tenant] if self._tenant else sorted({*self._log.replay.tenants(), *names.tenants})
        for tenant in tenants:
            await self._documents(tenant)
            await self._slots(tenant, names)
            await self._identities(tenant, names)
        return self._tally.part(self._id.partition, mark.topic_id, self._log.applied)

    async def _reach(self, page: Page) -> None:
        """Replay up to exactly the mark of what was read."""
        if page.mark is None or page.mark.offset < self._log.applied:
            raise _WentBack
        await self._log.reach(page.mark.offset)

    async def _documents(self, tenant: str) -> None:
        page = await self._inspector.page(self._id, documents=document_names([tenant]))
        await self._reach(page)
        try:
            found = document_of(Snapshot(page.mark, page.documents, {}, {}, {}), tenant)
        except NotOfTheMark:
            self._tally.documents.append(f"{tenant}: of a later record than the mark")
            return
        self._tally.compare_document(tenant, self._log.replay.document(tenant), found)

    async def _slots(self, tenant: str, names: Names) -> None:
        """Every slot that is owed now or is there; what the worker makes from now on is made under its own eyes."""
        there = {slot for slot in names.slots if slot.startswith(f"{tenant} ")}
        left = sorted(there | self._log.replay.cells(tenant).keys())
        while left:
            page = await self._inspector.page(self._id, slots=left[:SLOTS])
            await self._reach(page)
            left = left[len(page.slots) :]
            readable = Readable(self._log.replay.document(tenant), self._log.policies)
            owed = self._log.replay.slots(tenant, page.slots)
            for slot, found in page.slots.items():
                self._tally.compare(slot, owed.get(slot, {}), found, readable)

    async def _identities(self, tenant: str, names: Names) -> None:
        owed = self._log.replay.state(tenant).by_hour()
        for hour in sorted(names.hours.get(tenant, set()) | owed.keys()):
            await self._hour(tenant, hour, owed.get(hour, []))

    async def _hour(self, tenant: str, hour: int, owed: Sequence[int]) -> None:
        """An hour's identities; those that its worker has filed since are only counted."""
        parts, missing = list(_parts(owed)), 0
        for number, wanted in enumerate(parts):
            page = await self._inspector.page(self._id, sets=[(tenant, hour, wanted)])
            await self._reach(page)
            if hour < self._log.replay.document(tenant).duplicate_hour:
                return  # it was let go of meanwhile
            (held,) = page.sets
            missing += len(wanted) - held.present
            is_last = number == len(parts) - 1
            more = held.members - (self._log.replay.filed(tenant, hour) - missing) if is_last else 0
            self._tally.compare_identities(len(wanted), held.present, more)


def _parts(identities: Sequence[int]) -> Iterator[Sequence[int]]:
    """At most so many at a time; one part also of none, for the set may have some."""
    starts: Iterable[int] = range(0, max(1, len(identities)), IDENTITIES)
    return (identities[start : start + IDENTITIES] for start in starts)
