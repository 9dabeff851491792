"""Counters that Redis holds against those that the log leaves, cell by cell. Pure: pages of one instant go in.

A cell that is absent is zero. Only what a verdict can still read counts: a slot of a staging in force whose last
window is not behind the late horizon. Other slots wait for their owner to delete them, or are a seed in preparation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from spendgate.engine.calls import EPOCH
from spendgate.engine.names import NEVER
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.windows import BLOCK, BUCKETS, Calendar, CalendarTable, bucket_width_ms
from spendgate.model.policy import Budget, CalendarWindow, Policy, RollingWindow
from spendgate.model.reconciliation_parts import CellDiffers, CountersPart

Cells = Mapping[str, int]
Found = Mapping[str, int | None]
"""Field to value; None for what is no integer."""


MAX_TOLD = 500
"""So many cells that differ are told, the worst ones of ten times as many; all are counted."""


class SlotName(NamedTuple):
    """A slot's name, taken apart: ``window`` is a start in ms, the number of a rolling block, or 0 for a lifetime."""

    tenant: str
    staging: str
    rule: int
    window: int


def slot_name(text: str) -> SlotName | None:
    """The parts of a slot's name; None for what is none."""
    parts = text.split(" ")
    if len(parts) != 4 or not parts[2].isdecimal() or not parts[3].lstrip("-").isdecimal():
        return None
    return SlotName(parts[0], parts[1], int(parts[2]), int(parts[3]))


class Readable:
    """Which slots of a tenant a verdict can still read, by its document and policies (by hash)."""

    def __init__(self, document: TenantDocument, policies: Mapping[str, Policy]) -> None:
        self._late_ms = document.late_ms
        self._stagings = {each.staging: each for each in document.stagings}
        self._policies = policies

    def staging(self, name: SlotName) -> Staging | None:
        """The slot's staging, if it is in force."""
        return self._stagings.get(name.staging)

    def budget(self, name: SlotName) -> Budget | None:
        """The budget that the slot belongs to, if its staging is in force."""
        staging = self.staging(name)
        rules = [] if staging is None else self._policies[staging.hash].spec.rules
        return rules[name.rule].budget if name.rule < len(rules) else None

    def holds(self, name: SlotName) -> bool:
        """Whether a verdict can still read the slot."""
        budget = self.budget(name)
        return budget is not None and _end_ms(budget, name.window) > self._late_ms


def _end_ms(budget: Budget, window: int) -> int:
    """The instant after which no verdict reads a slot: as ``engine.names`` has it."""
    if isinstance(budget.window, CalendarWindow):
        return _calendar_end_ms(budget.window, window)
    if isinstance(budget.window, RollingWindow):
        return (BLOCK * window + BLOCK - 1 + BUCKETS) * bucket_width_ms(budget.window.minutes)
    return NEVER


def _calendar_end_ms(window: CalendarWindow, start_ms: int) -> int:
    table = CalendarTable.empty(Calendar(window.calendar, window.timezone, window.week_starts))
    table.cover(start_ms, start_ms)
    return table.window_of(start_ms)[1]


def slot_differences(slot: str, owed: Cells, found: Found, readable: Readable) -> Iterator[CellDiffers]:
    """The cells of a slot that are not what they should be, in the order of their names."""
    name = slot_name(slot)
    if name is None:
        return
    staging, budget = readable.staging(name), readable.budget(name)
    for cell in sorted(owed.keys() | found.keys()):
        expected, there = owed.get(cell, 0), found.get(cell, 0)
        if expected == there:
            continue
        which, _, key = cell.partition(" ")
        start, end = _window(budget, name.window, which)
        yield CellDiffers(
            tenant=name.tenant, staging=name.staging, rule=name.rule, window=name.window, field=which, key=key,
            expected_nano_usd=expected, found_nano_usd=there,
            policy=None if staging is None else staging.policy, window_start=start, window_end=end,
        )  # fmt: skip


def _window(budget: Budget | None, window: int, field: str) -> tuple[datetime | None, datetime | None]:
    """What time a cell stands for: the window, or the bucket (or whole block) of a rolling one."""
    if budget is None:
        return None, None
    if isinstance(budget.window, CalendarWindow):
        return _instant(window), _instant(_calendar_end_ms(budget.window, window))
    if not isinstance(budget.window, RollingWindow):
        return None, None
    width_ms, bucket = bucket_width_ms(budget.window.minutes), field[1:]
    first, count = (BLOCK * window + int(bucket), 1) if bucket.isdecimal() else (BLOCK * window, BLOCK)
    return _instant(first * width_ms), _instant((first + count) * width_ms)


def _instant(at_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=at_ms)


def document_differences(owed: TenantDocument, found: TenantDocument) -> tuple[str, ...]:
    """The names of the fields that differ."""
    return tuple(name for name in owed.__struct_fields__ if getattr(owed, name) != getattr(found, name))


@dataclass(slots=True)
class CountersTally:
    """What comparing a partition has found so far."""

    slots: int = 0
    cells: int = 0
    identities: int = 0
    unread: int = 0
    differing_cells: int = 0
    differing_identities: int = 0
    error_nano_usd: int = 0
    admitted_error_nano_usd: int = 0
    differing: list[CellDiffers] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)

    def compare(self, slot: str, owed: Cells, found: Found, readable: Readable) -> None:
        """Compare one slot: ``owed`` by the log and ``found`` in Redis, at one mark."""
        name = slot_name(slot)
        if name is None or not readable.holds(name):
            self.unread += 1
            return
        self.slots += 1
        self.cells += len(owed.keys() | found.keys())
        for cell in slot_differences(slot, owed, found, readable):
            self.differing_cells += 1
            if cell.field.startswith("r"):  # a bucket counts once, and not again in its block's total
                self.error_nano_usd += _off_by(cell)
            elif cell.field.startswith("a"):
                self.admitted_error_nano_usd += _off_by(cell)
            if len(self.differing) < 10 * MAX_TOLD:
                self.differing.append(cell)

    def compare_document(self, tenant: str, owed: TenantDocument, found: TenantDocument) -> None:
        """Compare a tenant's document."""
        if names := document_differences(owed, found):
            self.documents.append(f"{tenant}: {', '.join(names)}")

    def compare_identities(self, owed: int, present: int, more: int) -> None:
        """``owed`` identities were looked for, and ``present`` of them are there, and ``more`` that are not owed."""
        self.identities += owed
        self.differing_identities += owed - present + abs(more)

    def part(self, partition: int, topic_id: str, mark: int) -> CountersPart:
        """The result."""
        worst = sorted(self.differing, key=_off_by, reverse=True)[:MAX_TOLD]
        return CountersPart(
            partition=partition, topic_id=topic_id, mark=mark, slots=self.slots, cells=self.cells,
            identities=self.identities, unread=self.unread, differing_cells=self.differing_cells,
            differing_identities=self.differing_identities, differing_documents=len(self.documents),
            error_nano_usd=self.error_nano_usd, admitted_error_nano_usd=self.admitted_error_nano_usd,
            differing=tuple(worst), documents=tuple(self.documents),
        )  # fmt: skip


def is_equal(part: CountersPart) -> bool:
    """Whether all of a partition is as the log leaves it."""
    differing = part.differing_cells + part.differing_identities + part.differing_documents
    return not differing and part.problem is None


def _off_by(cell: CellDiffers) -> int:
    return abs((cell.found_nano_usd or 0) - cell.expected_nano_usd)
