"""One tenant's judge: the document, the program and the counters that are true at a mark.

``prepare`` places a batch among rules, ``unloaded`` says what must be known of the counters, ``load`` takes the
answer, ``judge`` decides and says what that did to the counters. The caller does the I/O in between; whatever
fails, it throws the judge away.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import msgspec
import numpy as np

from spendgate.engine.batch import CALL, Batch, Records
from spendgate.engine.calls import Calls, classes_of, costs, identities, keys_of, times_ms, token_counts
from spendgate.engine.clock import Timed, advance, tick
from spendgate.engine.compile import Program, compile_program
from spendgate.engine.counters import Counters
from spendgate.engine.decide import decide
from spendgate.engine.decisions import Heads, Judgement, Source, decisions_of
from spendgate.engine.names import SlotNames
from spendgate.engine.plan import plan
from spendgate.engine.rules import NO_LIMIT, ROLLING
from spendgate.engine.staging import TenantDocument, activated, settings_of
from spendgate.model.activation import Activation
from spendgate.model.decision import Decision
from spendgate.model.identity import NO_HOUR
from spendgate.model.policy import Policy


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch of one tenant before anything is known of its counters and identities."""

    calls: Calls
    identities: list[int]
    timed: Timed
    call_timed: Timed
    batch: Batch
    has_corrections: bool


@dataclass(slots=True)
class Changes:
    """What a judged batch did. ``increments``: slot name, field to delta (nano-USD). ``expiries``: slot name to
    ms. ``identities``: hour to what to remember. ``duplicates``: how many calls were dropped as such.
    """

    document: TenantDocument
    increments: dict[str, dict[str, int]] = field(default_factory=dict)
    expiries: dict[str, int] = field(default_factory=dict)
    identities: dict[int, list[int]] = field(default_factory=dict)
    drop_hours: list[int] = field(default_factory=list)
    duplicates: int = 0


class Tenant:
    """The judge of one tenant. ``policies`` by hash must hold every policy staged in ``document``."""

    def __init__(self, name: str, document: TenantDocument, policies: Mapping[str, Policy]) -> None:
        self.name = name
        self.document = document
        self.counters = Counters()
        self._policies = policies
        self._is_stale = False
        self._compile()

    def _compile(self) -> None:
        self.settings = settings_of(self.document)
        self.program: Program = compile_program(self.document.stagings, self._policies, self.counters)
        self.names = SlotNames(self.name, self.program, self.counters)
        self._heads = Heads(self.program)
        rules = self.program.rules.rows
        self._rolling = rules["counter"][rules["window"] == ROLLING]
        self._is_stale = False

    def activate(self, activation: Activation, offset: int, received_ms: int) -> None:
        """Pass an activation at ``offset``; its policy must be known. A staging that it begins has empty
        counters here: seed them first."""
        after = tick(self.document.clock, self.settings, received_ms)
        document = activated(self.document, activation, offset)
        self.document = msgspec.structs.replace(document, **after._asdict())
        self.settings = settings_of(self.document)
        self._is_stale = True

    def adopt(self, document: TenantDocument) -> None:
        """Take over another document's clock and settings; the stagings stay."""
        self.document = msgspec.structs.replace(document, stagings=self.document.stagings)
        self.settings = settings_of(self.document)

    def prepare(self, events: Calls, not_before_ms: int | None = None) -> Prepared:
        """Place a batch of events, annotations too, in time and among rules; nothing is decided yet.

        No budget looks at a call whose judged time is before ``not_before_ms`` (of a seed), as if it were late.
        """
        if self._is_stale:
            self._compile()
        received = np.array(events.received_ms, np.int64)
        timed = advance(self.document.clock, self.settings, received, times_ms(events.events))
        places = [i for i, event in enumerate(events.events) if event.kind == "call"]
        corrections = any(event.kind == "correction" for event in events.events)
        calls = events
        call_timed = timed
        if len(places) < len(events.events):
            calls = events.take(places)
            call_timed = timed.take(places)
        records = self._records(calls, call_timed)
        if not_before_ms is not None:
            records["late"][records["judged_ms"] < not_before_ms] = 1
        batch = self._plan(calls, records)
        return Prepared(calls, identities(calls.events), timed, call_timed, batch, corrections)

    def _records(self, calls: Calls, timed: Timed) -> Records:
        self.program.classes.trim()
        rules = self.program.rules.rows
        records: Records = np.zeros(len(calls.events), CALL)
        records["judged_ms"] = timed.judged_ms
        records["late"] = timed.late
        records["cost"] = costs(calls.events)
        for name in ("input_tokens", "output_tokens"):
            if (rules[name] != NO_LIMIT).any():
                records[name] = token_counts(calls.events, name)
        records["klass"] = classes_of(calls.events, self.program.classes)
        return records

    def _plan(self, calls: Calls, records: Records) -> Batch:
        program = self.program
        keys = keys_of(calls.events, program.layout.groups, self.counters)
        on_time = records["judged_ms"][records["late"] == 0]
        span = (int(on_time.min()), int(on_time.max())) if len(on_time) else (0, 0)
        classes, calendars = program.classes.arrays(), program.calendars(*span)
        return plan(program.rules, classes, calendars, records, keys, self.counters)

    @property
    def slots(self) -> int:
        """How many slots of counters are kept in memory."""
        return int(self.counters.slots.used[0])

    def unloaded(self) -> dict[str, list[str]]:
        """The slots that must be loaded before ``judge``: slot name to its fields."""
        wanted: dict[str, list[str]] = {}
        for slot in self.counters.unloaded():
            wanted.setdefault(self.names.slot(slot)[0], []).extend(self.names.whole(slot))
        return wanted

    def forget(self) -> None:
        """Keep the program and forget what counters hold: for a caller that reads them anew for every batch."""
        self.counters.forget()
        self.names.forget()

    def load(self, cells: Mapping[str, Sequence[int]]) -> None:
        """Take what a store holds: the values of ``unloaded()``, field by field; an absent slot is empty."""
        left = {name: iter(values) for name, values in cells.items()}
        found: dict[int, list[tuple[int, int, int]]] = {}
        for slot in self.counters.unloaded():
            values = left.get(self.names.slot(slot)[0])
            if values is None:
                continue
            buckets = self.names.buckets(slot)
            sums = list(islice(values, 2 * len(buckets)))
            if any(sums):
                found[slot] = [each for each in zip(buckets, sums[::2], sums[1::2], strict=True) if each[1] or each[2]]
        self.counters.load(found)

    def judge(self, prepared: Prepared, known: Mapping[int, int]) -> tuple[Judgement, Changes]:
        """Decide a prepared batch. ``known``: identity to the hour under which it was accepted before."""
        changes = Changes(self._after(prepared))
        self._set_duplicates(prepared, known, changes)
        judged = self.consider(prepared)
        self._collect(changes)
        self._remember_hours(changes)
        self.document = changes.document
        return judged, changes

    def consider(self, prepared: Prepared) -> Judgement:
        """Decide a prepared batch, and collect nothing of what that adds to counters. To keep nothing of it at all,
        ``forget`` afterwards."""
        decide(self.program.rules, self.program.by_policy, prepared.batch, self.counters)
        return Judgement(prepared.calls, prepared.batch, prepared.call_timed.skewed)

    def decisions(self, source: Source, judged: Judgement, decided_at: datetime) -> list[Decision]:
        """The decisions of a judged batch, in log order."""
        return self.decisions_under(self.counters.key_text, source, judged, decided_at)

    def decisions_under(
        self, text: Callable[[int], str], source: Source, judged: Judgement, decided_at: datetime
    ) -> list[Decision]:
        """As ``decisions``, where keys have numbers of their own; ``text``: a key's."""
        return decisions_of(self.name, source, self._heads, text, judged, self.settings.reasons == "all", decided_at)

    def _after(self, prepared: Prepared) -> TenantDocument:
        return msgspec.structs.replace(
            self.document,
            **prepared.timed.after._asdict(),
            calls=self.document.calls or bool(prepared.calls.events),
            corrections=self.document.corrections or prepared.has_corrections,
        )

    def _set_duplicates(self, prepared: Prepared, known: Mapping[int, int], changes: Changes) -> None:
        latest = dict(known)
        skipped, timed = prepared.batch.calls["skipped"], prepared.call_timed
        hours, horizons = timed.hour.tolist(), timed.duplicate_hour.tolist()
        for i, identity in enumerate(prepared.identities):
            if latest.get(identity, NO_HOUR) >= horizons[i]:
                skipped[i] = 1
                changes.duplicates += 1
                continue
            latest[identity] = hours[i]
            changes.identities.setdefault(hours[i], []).append(identity)

    def _collect(self, changes: Changes) -> None:
        slot_of, fields_of = self.names.slot, self.names.fields
        for slot, bucket, admitted, recorded in self.counters.collect(self._rolling):
            name, expires_ms = slot_of(slot)
            fields = changes.increments.get(name)
            if fields is None:
                fields = changes.increments[name] = {}
                changes.expiries[name] = expires_ms
            admitted_field, recorded_field = fields_of(slot, bucket)
            if admitted:
                fields[admitted_field] = admitted
            fields[recorded_field] = recorded

    def _remember_hours(self, changes: Changes) -> None:
        document = changes.document
        hours = set(document.hours).union(changes.identities)
        changes.drop_hours = sorted(hour for hour in hours if hour < document.duplicate_hour)
        kept = tuple(sorted(hour for hour in hours if hour >= document.duplicate_hour))
        changes.document = msgspec.structs.replace(document, hours=kept)
