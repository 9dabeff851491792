"""The seed of a staging: its counters from the log before its activation, judged by itself."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import msgspec

from spendgate.engine.calls import Calls
from spendgate.engine.clock import BEGINNING, tick
from spendgate.engine.corrections import Correction, Place, corrected_costs
from spendgate.engine.staging import Staging, TenantDocument, activated, settings_of
from spendgate.engine.tenant import Changes, Tenant
from spendgate.engine.windows import BUCKETS, Calendar, CalendarTable, bucket_width_ms
from spendgate.model.activation import Activation
from spendgate.model.identity import identity_of
from spendgate.model.policy import CalendarWindow, Policy, RollingWindow, Window

MANY_IDENTITIES = 1_000_000
"""Past this many, a replay looks for identities that it may forget."""


def seed_instant_ms(policy: Policy, late_ms: int) -> int | None:
    """The earliest start among the policy's windows that hold the late horizon; None without a budget.

    ``late_ms``: the tenant's late horizon at the activation. A lifetime window starts at the BEGINNING.
    """
    windows = [rule.budget.window for rule in policy.spec.rules if rule.budget is not None]
    return min((_start_ms(window, late_ms) for window in windows), default=None)


def _start_ms(window: Window, at_ms: int) -> int:
    if at_ms == BEGINNING:
        return BEGINNING
    if isinstance(window, RollingWindow):
        width = bucket_width_ms(window.minutes)
        return (at_ms // width - BUCKETS + 1) * width
    if isinstance(window, CalendarWindow):
        table = CalendarTable.empty(Calendar(window.calendar, window.timezone, window.week_starts))
        table.cover(at_ms, at_ms)
        return table.window_of(at_ms)[0]
    return BEGINNING


class Replay(ABC):
    """Passes a tenant's log from its first record on: who was accepted, who was late, by the settings then."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.document = TenantDocument()
        self.known: dict[int, int] = {}

    def pass_activation(self, activation: Activation, received_ms: int) -> None:
        """An activation moves the clock, and may change settings; stagings play no part here."""
        after = tick(self.document.clock, settings_of(self.document), received_ms)
        if activation.action == "settings":
            self.document = activated(self.document, activation, 0)
        self.document = msgspec.structs.replace(self.document, **after._asdict())

    @abstractmethod
    def pass_calls(self, events: Calls) -> None:
        """Pass a stretch of calls and annotations."""

    def take(self, changes: Changes) -> None:
        """Take over what judging a stretch did to clock and identities; forget those behind the horizon."""
        self.document = msgspec.structs.replace(changes.document, stagings=())
        for hour, found in changes.identities.items():
            self.known.update(dict.fromkeys(found, hour))
        if len(self.known) > MANY_IDENTITIES:
            horizon = self.document.duplicate_hour
            self.known = {identity: hour for identity, hour in self.known.items() if hour >= horizon}


class Acceptance(Replay):
    """Finds which calls of the log are duplicates, by the engine's own law."""

    def __init__(self, tenant: str) -> None:
        super().__init__(tenant)
        self._judge = Tenant(tenant, TenantDocument(), {})

    def resume(self, document: TenantDocument, known: Mapping[int, int]) -> None:
        """Go on from what a log up to some record has left; ``known``: identity to the hour it is filed under."""
        self.document = msgspec.structs.replace(document, stagings=())
        self.known = dict(known)

    def pass_calls(self, events: Calls) -> None:
        """Pass a stretch."""
        self.duplicates(events)

    def duplicates(self, events: Calls) -> list[bool]:
        """Pass a stretch; which of its events are calls that were accepted before."""
        self._judge.adopt(self.document)
        prepared = self._judge.prepare(events)
        judged, changes = self._judge.judge(prepared, self.known)
        self.take(changes)
        skipped = iter(judged.batch.calls["skipped"].tolist())
        return [event.kind == "call" and bool(next(skipped)) for event in events.events]


class Survey(Acceptance):
    """Finds, in a first pass over the log, what its corrections say; two passes, as a correction comes later."""

    def __init__(self, tenant: str) -> None:
        super().__init__(tenant)
        self.corrections: list[Correction] = []
        self._accepted: dict[int, list[Place]] = {}

    def find_corrections(self, events: Calls) -> None:
        """First pass: collect the corrections."""
        for offset, index, event in zip(events.offsets, events.indexes, events.events, strict=True):
            if event.kind == "correction" and event.refers_to is not None and event.cost_nano_usd is not None:
                identity = identity_of(event.source, event.refers_to)
                self.corrections.append(Correction((offset, index), identity, event.cost_nano_usd))

    def pass_calls(self, events: Calls) -> None:
        """Second pass: find where the corrected calls were accepted."""
        wanted = {correction.identity for correction in self.corrections}
        for i, (event, duplicate) in enumerate(zip(events.events, self.duplicates(events), strict=True)):
            if event.kind != "call" or duplicate:
                continue
            identity = identity_of(event.source, event.id)
            if identity in wanted:
                self._accepted.setdefault(identity, []).append((events.offsets[i], events.indexes[i]))

    def costs(self) -> dict[Place, int]:
        """What corrected calls should have cost."""
        return corrected_costs(self.corrections, self._accepted)


class Seeder(Replay):
    """Builds the counters of one staging. Feed it the tenant's whole log before the activation, in order.

    ``corrections``: the cost (nano-USD) that the call at a place should have had.
    """

    def __init__(
        self, tenant: str, staging: Staging, policy: Policy, late_ms: int, corrections: Mapping[Place, int]
    ) -> None:
        super().__init__(tenant)
        self._staging = msgspec.structs.replace(staging, stage="shadow")
        self._from_ms = seed_instant_ms(policy, late_ms)
        self._corrections = corrections
        self._judge = Tenant(tenant, TenantDocument(stagings=(self._staging,)), {staging.hash: policy})
        self.cells: dict[str, dict[str, int]] = {}
        self.expiries: dict[str, int] = {}

    def pass_calls(self, events: Calls) -> None:
        """Judge a stretch of the log."""
        judge = self._judge
        judge.adopt(self.document)
        prepared = judge.prepare(self._corrected(events), self._from_ms)
        judge.load({})
        _, changes = judge.judge(prepared, self.known)
        self.take(changes)
        for slot, fields in changes.increments.items():
            sums = self.cells.setdefault(slot, {})
            for name, added in fields.items():
                sums[name] = sums.get(name, 0) + added
        self.expiries |= changes.expiries

    def _corrected(self, events: Calls) -> Calls:
        if not self._corrections:
            return events
        costs = [self._corrections.get(place) for place in zip(events.offsets, events.indexes, strict=True)]
        changed = [
            event if cost is None else msgspec.structs.replace(event, cost_nano_usd=cost)
            for event, cost in zip(events.events, costs, strict=True)
        ]
        return Calls(events.offsets, events.indexes, events.received_ms, changed)
