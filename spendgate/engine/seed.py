"""The seed of a staging: its counters from the log before its activation, judged by itself."""

from collections.abc import Mapping, Sequence

import msgspec

from spendgate.engine.calls import Calls
from spendgate.engine.clock import BEGINNING, tick
from spendgate.engine.staging import Staging, TenantDocument, activated, settings_of
from spendgate.engine.tenant import Tenant
from spendgate.engine.windows import BUCKETS, Calendar, CalendarTable, bucket_width_ms
from spendgate.model.activation import Activation
from spendgate.model.policy import CalendarWindow, Policy, RollingWindow, Window

Place = tuple[int, int]
"""(message offset, index in the message)."""


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


class Replay:
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

    def remember(self, identities: Mapping[int, Sequence[int]], duplicate_hour: int) -> None:
        """Remember accepted identities by hour; forget those behind the horizon."""
        for hour, found in identities.items():
            self.known.update(dict.fromkeys(found, hour))
        if len(self.known) > 1_000_000:
            self.known = {identity: hour for identity, hour in self.known.items() if hour >= duplicate_hour}


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
        self.document = msgspec.structs.replace(changes.document, stagings=())
        self.remember(changes.identities, self.document.duplicate_hour)
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
