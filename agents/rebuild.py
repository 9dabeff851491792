"""Counters from the log: the seed of a staging. Until there is a ledger, the topic is read from its first offset."""

from collections.abc import AsyncIterator

from agents.delivery import Fatal
from agents.log import Log
from agents.metrics import SEEDED
from agents.steps import Step, of_tenant, steps
from spendgate.engine.seed import Replay, Seeder, Survey, seed_instant_ms
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.model.policy import Policy
from spendgate.model.topics import Topic

REFUSED = 4


class Rebuild:
    """Reads the log of ``topic`` again, for one partition and tenant at a time."""

    def __init__(self, log: Log, topic: Topic) -> None:
        self.log = log
        self._topic = topic

    async def require(self, partition: int, start: int) -> None:
        """Raise Fatal if the log no longer has the records from offset ``start`` on."""
        begin, end = await self.log.bounds(partition)
        if start > end:
            raise Fatal(
                f"the mark of {self.log.topic}/{partition} is {start - 1}, past the log's end {end}: the counters are "
                "of another log; give the worker an empty Redis or restore the topic",
                REFUSED,
            )
        if start < begin:
            raise Fatal(
                f"the counters of {self.log.topic}/{partition} end at {start - 1}, and the log begins at {begin}: "
                "what lies between has passed its retention and cannot be counted",
                REFUSED,
            )

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

    async def _history(self, partition: int, tenant: str, stop: int) -> AsyncIterator[Step]:
        async for messages in self.log.read(partition, 0, stop):
            for step in steps(self._topic, of_tenant(messages, tenant), -1):
                yield step
