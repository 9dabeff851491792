"""What the shadow agent publishes: decisions, rejections, and the names of sets of stagings; all acknowledged."""

import asyncio
from collections.abc import Mapping, Sequence

from agents.publishing import Publisher, pack
from spendgate.engine.staging import Staging, set_hash
from spendgate.model.announcement import StagingEntry, StagingSet, record_of
from spendgate.model.decision import Decision, encode_decisions
from spendgate.model.rejection import Rejection, encode_rejection
from spendgate.model.topics import Topics


class Outlet:
    """Publishes to the topics that topics.yaml names; returns only when the broker has all of it."""

    def __init__(self, publisher: Publisher, topics: Topics) -> None:
        self._publisher = publisher
        self._topics = topics

    async def publish(
        self, partition: int, decisions: Mapping[str, Sequence[Decision]], rejections: Sequence[Rejection]
    ) -> None:
        """Decisions by tenant, into the same partition as their events, and what was set aside."""
        packed = [
            (tenant.encode(), value) for tenant, each in decisions.items() for value in pack(each, encode_decisions)
        ]
        rejected = [((r.tenant or "").encode() or None, encode_rejection(r)) for r in rejections]
        sends = [self._publisher.publish(self._topics.decisions.name, packed, partition)] if packed else []
        if rejected:
            sends.append(self._publisher.publish(self._topics.rejected.name, rejected))
        await asyncio.gather(*sends)

    async def name_set(self, stagings: Sequence[Staging]) -> None:
        """Say which stagings the ``judged.set`` of coming decisions stands for."""
        entries = tuple(StagingEntry(s.staging, s.policy, s.hash, s.stage) for s in stagings)
        record = record_of(StagingSet(set_hash(stagings), entries))
        await self._publisher.publish(self._topics.policies.name, [(record.key, record.value)])
