"""What the policies in force would say of a call that has not been made: the engine over Redis's counters, read anew.

Nothing is written. The counters are those of the mark: what the log holds behind it, and calls under way, they do not
know yet. A tenant's program is compiled once for each set of stagings, in a thread; a check then takes one round trip.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway_shadow.holding import Hold
from gateway_shadow.staged_policies import StagedPolicies
from spendgate.engine.calls import Calls, time_ms
from spendgate.engine.decisions import Judgement, Source
from spendgate.engine.glance import Glance, is_enough
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.engine.tenant import Tenant
from spendgate.model.decision import Decision
from spendgate.model.event import Event
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import Topic
from window_counters.documents import document_names, document_of
from window_counters.protocol import Mark, PartitionId, Read, Snapshot
from window_counters.redis_store import RedisStore

MAX_KEYS = 50_000
"""Past this many combinations of ``per`` values a tenant's judge is made anew."""
MAX_TENANTS = 1_000


@dataclass
class _Program:
    """A tenant's judge for one set of stagings; one check at a time uses it."""

    document: TenantDocument
    judge: Tenant
    in_use: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_of(self, document: TenantDocument) -> bool:
        """Whether no activation has changed anything since."""
        return (document.stagings, document.settings) == (self.document.stagings, self.document.settings)

    def clear(self) -> None:
        """Forget what a check has read and done, also where it was broken off."""
        self.judge.forget()
        self.judge.adopt(self.document)


@dataclass
class Checker:
    """Judges calls beforehand. Raises StoreUnavailable, NotOfTheMark, and what ``policies`` raises."""

    store: RedisStore
    topic: Topic
    policies: StagedPolicies
    _known: dict[str, _Program] = field(default_factory=dict)
    _learning: dict[str, "asyncio.Task[_Program]"] = field(default_factory=dict)

    async def check(self, event: Event, now: datetime, hold: Hold | None = None) -> tuple[Decision | None, Mark | None]:
        """What would be said of a call now, and of which mark the counters are; None where nothing is staged.

        ``hold``: reads in the place of this, and reserves; its reservation is given back if it was for other stagings
        than those in force by now.
        """
        while True:
            program = self._known.get(event.tenant) or await self._learnt(event.tenant)
            async with program.in_use:
                try:
                    decision, snapshot = await self._judge(program, event, now, hold)
                finally:
                    program.clear()
            if program.is_of(document_of(snapshot, event.tenant)):
                self._let_go_of_many_keys(event.tenant, program)
                return decision, snapshot.mark
            if hold is not None:
                await hold.release(self.partition(event.tenant))
            if self._known.get(event.tenant) is program:
                del self._known[event.tenant]

    async def _judge(
        self, program: _Program, event: Event, now: datetime, hold: Hold | None
    ) -> tuple[Decision | None, Snapshot]:
        judge = program.judge
        prepared = judge.prepare(_calls(event, now))
        glance = Glance(judge, prepared)
        if hold is None:
            snapshot = await self._read(event.tenant, glance.unloaded())
        else:
            snapshot = await hold.read(self.partition(event.tenant), judge, prepared, glance)
        glance.load(snapshot.cells)
        judged = judge.consider(prepared)
        decision = self._decision(program, judged, now)
        if is_enough(judged):
            return decision, snapshot
        program.clear()
        judged, later = await self._judged_by_all(judge, event, now, hold)
        by_all = self._decision(program, judged, now)
        if hold is not None and decision is not None and by_all is not None and by_all.verdict != decision.verdict:
            return decision, snapshot  # what was reserved or refused went by the first reading
        return by_all, later

    def _decision(self, program: _Program, judged: Judgement, now: datetime) -> Decision | None:
        if not program.document.stagings:
            return None
        return program.judge.decisions(self._source(program.judge.name), judged, now)[0]

    async def _judged_by_all(
        self, judge: Tenant, event: Event, now: datetime, hold: Hold | None
    ) -> tuple[Judgement, Snapshot]:
        """Judge by every bucket: a breached rolling budget says when the call would fit."""
        prepared = judge.prepare(_calls(event, now))
        wanted = judge.unloaded()
        snapshot = await self._read(event.tenant, wanted)
        judge.load(snapshot.cells if hold is None else hold.with_reserved(wanted, snapshot.cells))
        return judge.consider(prepared), snapshot

    async def _learnt(self, tenant: str) -> _Program:
        """A check that has no time to wait for it leaves it to the next one."""
        task = self._learning.get(tenant)
        if task is None:
            task = self._learning[tenant] = asyncio.create_task(self._learn(tenant))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def _learn(self, tenant: str) -> _Program:
        try:
            document = document_of(await self._read(tenant, {}), tenant)
            policies = await self.policies(tenant, [staging.hash for staging in document.stagings])
            judge = await asyncio.to_thread(Tenant, tenant, document, policies)
        finally:
            del self._learning[tenant]
        if len(self._known) >= MAX_TENANTS:
            self._known.clear()
        program = self._known[tenant] = _Program(document, judge)
        return program

    async def _read(self, tenant: str, cells: Mapping[str, Sequence[str]]) -> Snapshot:
        return await self.store.read(self.partition(tenant), Read(tenants=document_names([tenant]), cells=cells))

    def _let_go_of_many_keys(self, tenant: str, program: _Program) -> None:
        if program.judge.counters.keys_known > MAX_KEYS:
            self._known.pop(tenant, None)

    def partition(self, tenant: str) -> PartitionId:
        """Where a tenant's counters are."""
        return PartitionId(self.topic.name, partition_of(tenant.encode(), self.topic.partitions))

    def _source(self, tenant: str) -> Source:
        return Source(self.topic.name, "", self.partition(tenant).partition)


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
