"""A world whose law a test asserts."""

from collections.abc import Sequence

import pytest

from agents.delivery import Message
from dev.trial import world
from dev.trial.owed import Owed
from dev.trial.recount import total_in_log, total_recorded
from dev.trial.waiting import Late
from dev.trial.world import CREATE_TIME, activation
from window_counters.protocol import PartitionId

__all__ = ["CREATE_TIME", "World", "activation"]


class World(world.World):
    """As ``dev.trial.world.World``; what does not hold fails the test."""

    def settle(self) -> None:
        """Wait until all that was sent is applied, and acknowledged to the group."""
        try:
            super().settle()
        except Late as error:
            pytest.fail(str(error))

    def verify(self, gone: Sequence[Message] = ()) -> Owed:
        """Compare every decision, every rejection and every counter with an offline replay; returns it.

        ``gone``: records that the topic had once.
        """
        owed = self.owed(self.log(gone))
        if faults := self.faults(owed):
            pytest.fail(f"{len(faults)} faults, such as:\n" + "\n".join(fault[:1500] for fault in faults[:5]))
        return owed

    def recount(self, tenant: str, staging: str, rule: int = 0) -> None:
        """A budget over everything must have recorded what all calls of the log cost, each once."""
        id_ = PartitionId(self.topics.events.name, self.partition(tenant))
        wanted = total_in_log(self.broker.read(self.topics.events), tenant)
        assert total_recorded(self.redis_url, id_, tenant, staging, rule) == wanted > 0
