"""One partition's judge: its tenants, all true at one mark, and what a step asks of the store and does to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agents.steps import Step
from spendgate.engine.decisions import Source
from spendgate.engine.staging import TenantDocument
from spendgate.engine.tenant import Changes, Prepared, Tenant
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.policy import Policy
from window_counters.documents import document_of, moving_part
from window_counters.protocol import Change, Mark, PartitionId, Read, Snapshot

MAX_SLOTS = 4_000_000
"""Past this many cached slots of a partition (about 2 GB) the largest tenants' are dropped, and read again as they are
needed."""


class MarkMoved(Exception):
    """The mark is not what the cache is true for: all of it is dropped, and the step is read again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did: what to publish, what to write."""

    decisions: dict[str, list[Decision]]
    change: Change
    duplicates: int
    annotations: int


class PartitionJudge:
    """The judge of one partition at ``mark`` (None: before the first record of topic ``topic_id``)."""

    def __init__(self, id_: PartitionId, topic_id: str, mark: Mark | None) -> None:
        self.id = id_
        self.source = Source(id_.topic, topic_id, id_.partition)
        self.mark = mark
        self.tenants: dict[str, Tenant] = {}
        self._admitted: dict[str, tuple[TenantDocument, Mapping[str, Policy]]] = {}

    @property
    def applied(self) -> int:
        """The last applied offset; -1 before the first."""
        return self.mark.offset if self.mark is not None else -1

    def unknown(self, names: Mapping[str, object] | set[str]) -> list[str]:
        """Those of the tenants that have to be read first."""
        return [name for name in names if name not in self.tenants and name not in self._admitted]

    def known(self, tenant: str) -> TenantDocument | None:
        """The document of a tenant that is in the cache."""
        if tenant in self._admitted:
            return self._admitted[tenant][0]
        return self.tenants[tenant].document if tenant in self.tenants else None

    def require_mark(self, snapshot: Snapshot) -> None:
        """Raise MarkMoved unless the store is where the cache is."""
        if snapshot.mark != self.mark:
            raise MarkMoved

    def document(self, snapshot: Snapshot, tenant: str) -> TenantDocument:
        """A tenant's document as the store has it; a new tenant's is empty. Raises NotOfTheMark."""
        return document_of(snapshot, tenant)

    def admit(self, tenant: str, document: TenantDocument, policies: Mapping[str, Policy]) -> None:
        """Begin to judge a tenant from its document; ``policies`` hold all that is staged in it.

        Compiled when its next event comes: a thousand activations in a row are passed without.
        """
        self.tenants.pop(tenant, None)
        self._admitted[tenant] = document, policies

    def prepare(self, step: Step) -> dict[str, Prepared]:
        """Place a step's events among rules, tenant by tenant; all of them are admitted."""
        for name in step.calls.keys() & self._admitted.keys():
            self.tenants[name] = Tenant(name, *self._admitted.pop(name))
        return {name: self.tenants[name].prepare(calls) for name, calls in step.calls.items()}

    def wanted(self, work: Mapping[str, Prepared]) -> Read:
        """All that deciding ``work`` needs to know."""
        cells: dict[str, list[str]] = {}
        for name in work:
            cells |= self.tenants[name].unloaded()
        documents = {name: self.tenants[name].document for name in work}
        return Read(
            identities={
                name: (documents[name].hours, prepared.identities)
                for name, prepared in work.items()
                if documents[name].hours and prepared.identities
            },
            cells=cells,
            due={name: document.late_ms for name, document in documents.items() if document.late_ms > 0},
        )

    def decide(
        self,
        step: Step,
        work: Mapping[str, Prepared],
        snapshot: Snapshot,
        decided_at: datetime,
        publish: bool,
    ) -> Outcome:
        """Judge prepared events. Decisions are written out only if they are to be published."""
        decisions: dict[str, list[Decision]] = {}
        changes: dict[str, Changes] = {}
        for name, prepared in work.items():
            tenant = self.tenants[name]
            tenant.load(snapshot.cells)
            judged, changes[name] = tenant.judge(prepared, snapshot.known.get(name, {}))
            if publish:
                decisions[name] = tenant.decisions(self.source, judged, decided_at)
        change = self._change(step, changes, snapshot)
        duplicates = sum(each.duplicates for each in changes.values())
        events = sum(len(calls.events) for calls in step.calls.values())
        return Outcome(decisions, change, duplicates, events - sum(len(w.calls.events) for w in work.values()))

    def _change(self, step: Step, changes: Mapping[str, Changes], snapshot: Snapshot) -> Change:
        increments: dict[str, dict[str, int]] = {}
        for each in changes.values():
            increments |= each.increments
        return Change(
            mark=self.mark_at(step.last),
            tenants={
                key: part
                for name, each in changes.items()
                for key, part in moving_part(name, each.document, step.last).items()
            },
            increments=increments,
            expiries={name: each.expiries for name, each in changes.items() if each.expiries},
            identities={name: each.identities for name, each in changes.items() if each.identities},
            drop_slots={name: slots for name, slots in snapshot.due.items() if slots},
            drop_hours={name: each.drop_hours for name, each in changes.items() if each.drop_hours},
            settled={name: checks for name, calls in step.calls.items() if (checks := _settled(calls.events))},
        )

    def mark_at(self, offset: int) -> Mark:
        """The mark at an offset of this topic."""
        return Mark(self.source.topic_id, offset)

    def moved(self, mark: Mark) -> None:
        """The store has applied a change: the cache is true at its mark now."""
        self.mark = mark
        held = sum(tenant.slots for tenant in self.tenants.values())
        while held > MAX_SLOTS:
            largest = max(self.tenants, key=lambda name: self.tenants[name].slots)
            held -= self.tenants.pop(largest).slots


def _settled(events: Sequence[Event]) -> list[str]:
    """The checks that were made before these calls, and may have reserved for them."""
    return [event.check_id for event in events if event.check_id is not None]
