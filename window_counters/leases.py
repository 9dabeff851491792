"""Leases of a partition, and the heartbeat of the agent that grants them."""

from collections.abc import Mapping
from typing import NamedTuple

from window_counters.client import Client
from window_counters.faults import translated
from window_counters.keys import hurried_key, keys_of
from window_counters.protocol import Mark, PartitionId
from window_counters.scripts import Script
from window_counters.wire import Call, unpack_mark


class Beat(NamedTuple):
    """A heartbeat's answer. ``why``: reservations are in doubt until ``safe_from_ms``; empty where this beat did not
    put them in doubt. ``fenced``: another agent grants the partition's leases."""

    now_ms: int
    number: int
    safe_from_ms: int
    run_id: str
    mark: Mark | None
    why: str

    @property
    def is_fenced(self) -> bool:
        """Whether another agent beats for the partition, so that this one has to stand back."""
        return self.why == "fenced"


class Leases:
    """Over a client of ``RedisStore``; every method may raise StoreUnavailable and StoreUnfit."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._beat, self._grant = Script("beat"), Script("grant")

    async def beat(self, partition: PartitionId, agent: str, last: int, longest_ms: int) -> Beat:
        """Say that ``agent`` grants the partition's leases. ``last``: the number of its last beat, 0 before any."""
        keys = keys_of(partition)
        args = [agent.encode(), b"%d" % last, b"%d" % longest_ms]
        with translated():
            reply = await self._beat(self._client, Call([keys.mark, keys.beat], args))
        now_ms, number, safe_from_ms, run_id, mark, why = reply
        return Beat(now_ms, number, safe_from_ms, run_id.decode(), unpack_mark(mark), why.decode())

    async def grant(
        self, partition: PartitionId, tenant: str, agent: str, number: int, leases: Mapping[str, bytes]
    ) -> bool:
        """Write leases, by staging; False where another agent has the partition by now."""
        keys = keys_of(partition)
        written = [each for staging, lease in leases.items() for each in (staging.encode(), lease)]
        with translated():
            args = [agent.encode(), b"%d" % number, *written]
            return bool(await self._grant(self._client, Call([keys.beat, keys.leases(tenant)], args)))

    async def withdraw(self, partition: PartitionId, tenant: str, leases: Mapping[str, bytes]) -> None:
        """Put what says that it was withdrawn in the place of leases, by staging; whoever asks for it is obeyed."""
        with translated():
            for staging, text in leases.items():
                await self._client.execute_command("HSET", keys_of(partition).leases(tenant), staging, text)

    async def held(self, partition: PartitionId, tenant: str) -> Mapping[str, bytes]:
        """What stands there for each staging."""
        with translated():
            found = await self._client.execute_command("HGETALL", keys_of(partition).leases(tenant))
        return {staging.decode(): text for staging, text in found.items()}

    async def say(self, tenant: str, words: str, for_ms: int) -> None:
        """What is enforced of a tenant, in words, for a person in a hurry: under a key that ends by itself."""
        with translated():
            await self._client.execute_command("SET", hurried_key(tenant), words, "PX", for_ms)
