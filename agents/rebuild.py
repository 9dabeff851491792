"""Counters from the log: seeds of stagings, and what Redis has missed; from the ledger where the topic ends."""

from collections.abc import AsyncIterator

from agents.delivery import Fatal
from agents.log import Log
from agents.metrics import SEEDED
from agents.past import Past, steps_of, told
from agents.steps import Step, of_tenant, steps
from agents.trust import Trust
from spendgate.engine.seed import Replay, Seeder, Survey, seed_instant_ms
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.model.policy import Policy
from spendgate.model.topics import Topic

REFUSED = 4


class Rebuild:
    """Reads the log of ``topic`` again. ``past``: the ledger that holds it too, if there is one; ``trusts``: which
    activations are obeyed."""

    def __init__(self, log: Log, topic: Topic, past: Past | None, trusts: Trust) -> None:
        self.log = log
        self.past = past
        self._topic = topic
        self._trusts = trusts

    async def require(self, partition: int, start: int) -> int:
        """Where the log begins; raises Fatal if neither it nor the ledger has all records from offset ``start`` on."""
        begin, end = await self.log.bounds(partition)
        if start > end:
            raise Fatal(
                f"the mark of {self.log.topic}/{partition} is {start - 1}, past the log's end {end}: the counters are "
                "of another log; give the worker an empty Redis or restore the topic",
                REFUSED,
            )
        if start < begin:
            await self._require_past(partition, start, begin)
        return begin

    async def _require_past(self, partition: int, start: int, begin: int) -> None:
        """Raise Fatal unless the ledger has ``[start, begin)``."""
        where = f"the counters of {self.log.topic}/{partition} end at {start - 1}, and the log begins at {begin}"
        past = await self.past.log(partition) if self.past is not None else None
        if past is None:
            raise Fatal(f"{where}: what lies between has passed its retention and cannot be counted", REFUSED)
        if past.gap is not None:
            raise Fatal(f"{where}: what lies between cannot be counted, for the ledger {told(past.gap)}", REFUSED)
        if past.covered < begin - 1:
            raise Fatal(f"{where}: the ledger ends at {past.covered}, and what is between is in neither", REFUSED)

    async def missed(self, partition: int, start: int, stop: int) -> AsyncIterator[Step]:
        """The records of ``[start, stop)`` of a partition, from the topic if it has them all."""
        begin = await self.require(partition, start)
        async for step in self._from(partition, start, stop, None, use_past=start < begin):
            yield step

    async def again(
        self, partition: int, start: int, stop: int, tenant: str | None, *, use_past: bool
    ) -> AsyncIterator[Step]:
        """Offsets ``[start, stop)``, of one tenant or of all. ``use_past``: from the ledger, as far as it goes."""
        begin = await self.require(partition, start)
        async for step in self._from(partition, start, stop, tenant, use_past=use_past or start < begin):
            yield step

    async def seed(
        self, partition: int, tenant: str, staging: Staging, policy: Policy, document: TenantDocument
    ) -> Seeder:
        """The counters of a staging from the log before its activation.

        ``document``: the tenant's, with the clock as it stands at the activation.
        """
        seeder = Seeder(tenant, staging, policy, document.late_ms, {})
        if not document.calls or seed_instant_ms(policy, document.late_ms) is None:
            return seeder
        await self.require(partition, 0)
        if document.corrections:
            survey = Survey(tenant)
            async for step in self._history(partition, tenant, staging.offset):
                for calls in step.calls.values():
                    survey.find_corrections(calls)
            await self._pass(survey, partition, tenant, staging.offset)
            seeder = Seeder(tenant, staging, policy, document.late_ms, survey.costs())
        await self._pass(seeder, partition, tenant, staging.offset)
        SEEDED.inc()
        return seeder

    async def _pass(self, replay: Replay, partition: int, tenant: str, stop: int) -> None:
        async for step in self._history(partition, tenant, stop):
            if step.activation is not None:
                replay.pass_activation(step.activation, step.received_ms)
            for calls in step.calls.values():
                replay.pass_calls(calls)

    def _history(self, partition: int, tenant: str, stop: int) -> AsyncIterator[Step]:
        """A tenant's log before ``stop``: the ledger has a tenant's rows by themselves, the topic has not."""
        return self._from(partition, 0, stop, tenant, use_past=True)

    async def _from(
        self, partition: int, start: int, stop: int, tenant: str | None, *, use_past: bool
    ) -> AsyncIterator[Step]:
        """``[start, stop)``: from the ledger as far as it goes, if it is to be used and whole; then from the topic."""
        past = await self.past.log(partition) if use_past and self.past is not None else None
        if past is not None and past.gap is None and past.covered >= start:
            last = min(past.covered, stop - 1)
            async for step in steps_of(past, start, last, tenant):
                self.log.progress()
                yield step
            start = last + 1
        if start < stop:
            async for messages in self.log.read(partition, start, stop):
                kept = messages if tenant is None else of_tenant(messages, tenant)
                for step in steps(self._topic, kept, -1, self._trusts):
                    yield step
