"""What the policies in force would say of a call that has not been made: the engine over Redis's counters, read anew.

Nothing is written. The counters are those of the mark: what the log holds behind it, and calls under way, they do not
know yet. A tenant's program is compiled once for each set of stagings, in a thread; a check then takes one round trip,
and waits for no other one. Where a rolling budget is breached it takes a second one, which reads every bucket.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from gateway_shadow.checks.holding import Claimed, Hold, claimed
from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.clock import Clock, late_horizon_ms
from spendgate.engine.decisions import Judgement, Source
from spendgate.engine.preview import Preview, Previews, is_enough
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.tenant import Tenant
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import Topic
from window_counters.documents import clock_of, document_names, document_of, staged_part
from window_counters.protocol import CounterStore, Look, Mark, PartitionId, Read, Snapshot, Sums

Policies = Callable[[str, Iterable[str]], Awaitable[Mapping[str, Policy]]]
"""A tenant's policies by hash. Raises LookupError for one that is not known."""

LEARN_S = 5.0
"""For so long a store may take to say what is in force; no check waits for it so long."""
READS = 8
"""So many checks ask Redis at the same time. One that gives up takes its connection with it, and to open hundreds anew
after a pause would be the next pause."""
MAX_KEYS = 50_000
"""Past this many combinations of ``per`` values a tenant's judge is made anew."""
MAX_TENANTS = 1_000


class _Program:
    """A tenant's judge for one set of stagings. Previews keep nothing; the judge itself, one check at a time uses."""

    def __init__(self, partition: PartitionId, document: TenantDocument, staged: bytes | None, judge: Tenant) -> None:
        self.partition, self.document, self.judge = partition, document, judge
        self.source = Source(partition.topic, "", partition.partition)
        self.previews = Previews(judge)
        self.in_use = asyncio.Lock()
        self._staged = staged
        self._looks: WeakKeyDictionary[Preview, Look] = WeakKeyDictionary()
        self._claims: WeakKeyDictionary[Preview, Claimed] = WeakKeyDictionary()

    def is_of(self, found: Snapshot | Sums, at_ms: int) -> bool:
        """Whether no activation has changed anything since, and a call at ``at_ms`` is late by now if it was taken for
        late. Raises NotOfTheMark."""
        if self._is_late(clock_of(found, self.judge.name), at_ms) != self._is_late(self.document.clock, at_ms):
            return False
        staged = staged_part(found, self.judge.name)
        if staged != self._staged:
            document = document_of(found, self.judge.name)
            if (document.stagings, document.settings) != (self.document.stagings, self.document.settings):
                return False
            self._staged = staged
        return True

    def _is_late(self, clock: Clock, at_ms: int) -> bool:
        return at_ms < late_horizon_ms(clock, self.judge.settings)

    def look(self, preview: Preview) -> Look:
        """What the store is asked for a preview."""
        known = self._looks.get(preview)
        if known is None:
            known = self._looks[preview] = Look(document_names([self.judge.name]), preview.windows)
        return known

    def claimed(self, preview: Preview) -> Claimed:
        """What the store is asked for a preview where something is enforced."""
        known = self._claims.get(preview)
        if known is None:
            known = self._claims[preview] = claimed(preview, self.look(preview))
        return known

    def clear(self) -> None:
        """Forget what a check has read and done, also where it was broken off."""
        self.judge.forget()
        self.judge.adopt(self.document)


@dataclass
class Checker:
    """Judges calls beforehand. Raises StoreUnavailable, NotOfTheMark, and what ``policies`` raises. The store need not
    bound its time: who asks does."""

    store: CounterStore
    topic: Topic
    policies: Policies
    _known: dict[str, _Program] = field(default_factory=dict)
    _learning: dict[str, "asyncio.Task[_Program]"] = field(default_factory=dict)
    _reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READS))

    async def check(self, event: Event, now: datetime, hold: Hold | None = None) -> tuple[Decision | None, Mark | None]:
        """What would be said of a call now, and of which mark the counters are; None where nothing is staged.

        ``hold``: reads in the place of this, and reserves; its reservation is given back if it was for other stagings
        than those in force by now.
        """
        while True:
            program = self._known.get(event.tenant) or await self._learnt(event.tenant)
            decisions, found = await self._judge(program, event, now, hold)
            if program.is_of(found, time_ms(now)):
                return (decisions[0] if decisions and program.document.stagings else None), found.mark
            if hold is not None:
                await hold.release(program.partition)
            if self._known.get(event.tenant) is program:
                del self._known[event.tenant]

    async def _judge(
        self, program: _Program, event: Event, now: datetime, hold: Hold | None
    ) -> tuple[list[Decision], Snapshot | Sums]:
        at_ms, calls = time_ms(now), _calls(event, now)
        preview = program.previews.of(event, at_ms)
        keys = preview.keys(event)
        async with self._reading:
            sums = await (
                self.store.sums(program.partition, program.look(preview), keys) if hold is None
                else hold.sums(program.partition, preview, program.claimed(preview), keys, at_ms)
            )  # fmt: skip
        judged = preview.consider(calls, at_ms, sums.sums)
        decisions = preview.decisions(program.source, judged, keys, now)
        if is_enough(judged):
            return decisions, sums
        by_all, snapshot = await self._by_all(program, calls, now, hold)
        if hold is None or by_all[0].verdict == decisions[0].verdict:
            return by_all, snapshot
        return decisions, sums  # what was reserved or refused went by the first reading

    async def _by_all(
        self, program: _Program, calls: Calls, now: datetime, hold: Hold | None
    ) -> tuple[list[Decision], Snapshot]:
        async with program.in_use:
            try:
                judged, snapshot = await self._judged_by_all(program, calls, hold)
                return program.judge.decisions(program.source, judged, now), snapshot
            finally:
                program.clear()
                self._let_go_of_many_keys(program)

    async def _judged_by_all(self, program: _Program, calls: Calls, hold: Hold | None) -> tuple[Judgement, Snapshot]:
        """Judge by every bucket: a breached rolling budget says when the call would fit."""
        judge = program.judge
        prepared = judge.prepare(calls)
        wanted = Read(tenants=document_names([judge.name]), cells=judge.unloaded())
        snapshot = await self.store.read(program.partition, wanted)
        judge.load(snapshot.cells if hold is None else hold.with_reserved(wanted.cells, snapshot.cells))
        return judge.consider(prepared), snapshot

    def partition(self, tenant: str) -> PartitionId:
        """Where a tenant's counters are."""
        return PartitionId(self.topic.name, partition_of(tenant.encode(), self.topic.partitions))

    async def _learnt(self, tenant: str) -> _Program:
        """A check that has no time to wait for it leaves it to the next one."""
        task = self._learning.get(tenant)
        if task is None:
            task = self._learning[tenant] = asyncio.create_task(self._learn(tenant))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _learn(self, tenant: str) -> _Program:
        partition = self.partition(tenant)
        try:
            async with asyncio.timeout(LEARN_S):
                snapshot = await self.store.read(partition, Read(tenants=document_names([tenant])))
            document = document_of(snapshot, tenant)
            policies = await self.policies(tenant, [staging.hash for staging in document.stagings])
            judge = await asyncio.to_thread(Tenant, tenant, document, policies)
        finally:
            del self._learning[tenant]
        if len(self._known) >= MAX_TENANTS:
            self._known.clear()
        program = self._known[tenant] = _Program(partition, document, staged_part(snapshot, tenant), judge)
        return program

    def _let_go_of_many_keys(self, program: _Program) -> None:
        if program.judge.counters.keys_known > MAX_KEYS:
            self._known.pop(program.judge.name, None)


def _calls(event: Event, now: datetime) -> Calls:
    calls = Calls()
    calls.add_message(0, time_ms(now), [0], [event])
    return calls


def warm() -> None:
    """Load the compiled engine, which takes a second or two, before the first check has to wait for it."""
    rules = [
        {"budget": {"cap_usd": "1", "window": window, "per": ["team"], "on_breach": "deny"}}
        for window in ({"calendar": "day", "timezone": "UTC"}, {"rolling": "24h"}, {"lifetime": True})
    ]
    policy = Policy.model_validate(
        {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "warm"}, "spec": {"rules": rules}}
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    staging = Staging(staging="warm", policy="warm", hash="warm", stage="shadow", offset=0)
    judge = Tenant("warm", TenantDocument(stagings=(staging,)), {"warm": policy})
    event = Event(id="warm", source="warm", tenant="warm", time=now, team="warm", cost_nano_usd=1)
    prepared = judge.prepare(_calls(event, now))
    judge.load({name: [0] * len(fields) for name, fields in judge.unloaded().items()})
    judged, _ = judge.judge(prepared, {})
    judge.decisions(Source("warm", "", 0), judged, now)
