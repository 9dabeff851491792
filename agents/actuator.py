"""The only thing that can block: it writes leases of two seconds, and takes them back.

A lease is leave for the door to enforce a staging. It is written over and over while everything that asks for it holds,
and nothing has to be done for it to end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from policy_store.signing import Signer
from spendgate.model.enforcement import Share
from spendgate.model.lease import Lease, Withdrawal, encode_lease, encode_withdrawal, signed_lease_bytes
from window_counters.leases import Beat, Leases
from window_counters.protocol import PartitionId

LEASE_MS = 2_000
SAID_FOR_MS = 5_000


class Enforced(NamedTuple):
    """A staging that is to be enforced: what its lease says of it."""

    tenant: str
    staging: str
    policy: str
    hash: str
    certificate: str
    share: Share | None


@dataclass(frozen=True, slots=True)
class Actuator:
    """Grants the leases of the partitions whose heart it beats. Raises StoreUnavailable and StoreUnfit."""

    leases: Leases
    signer: Signer
    agent: str

    async def beat(self, partition: PartitionId, last: int, longest_ms: int) -> Beat:
        """Say that this agent looks after the partition; see ``Leases.beat``."""
        return await self.leases.beat(partition, self.agent, last, longest_ms)

    async def grant(self, partition: PartitionId, beat: Beat, wanted: Sequence[Enforced], fresh_ms: int) -> bool:
        """Write a lease for each; False where another agent looks after the partition by now.

        ``fresh_ms``: when the counters were last seen level with the log, by Redis's clock.
        """
        by_tenant: dict[str, dict[str, bytes]] = {}
        for each in wanted:
            by_tenant.setdefault(each.tenant, {})[each.staging] = self._lease(each, beat, fresh_ms)
        written = [
            await self.leases.grant(partition, tenant, self.agent, beat.number, leases)
            for tenant, leases in by_tenant.items()
        ]
        return all(written)

    def _lease(self, wanted: Enforced, beat: Beat, fresh_ms: int) -> bytes:
        lease = Lease(
            **wanted._asdict(), agent=self.agent, number=beat.number, run_id=beat.run_id,
            mark=-1 if beat.mark is None else beat.mark.offset, fresh_ms=fresh_ms, granted_ms=beat.now_ms,
            until_ms=beat.now_ms + LEASE_MS,
        )  # fmt: skip
        return encode_lease(msgspec.structs.replace(lease, signature=self.signer.sign(signed_lease_bytes(lease))))

    async def withdraw(self, partition: PartitionId, now_ms: int, why: Iterable[tuple[tuple[str, str], str]]) -> None:
        """End the leases of stagings at once: each a (tenant, staging), and why."""
        for (tenant, staging), words in why:
            text = encode_withdrawal(Withdrawal(withdrawn_ms=now_ms, why=words))
            await self.leases.withdraw(partition, tenant, {staging: text})

    async def say(self, tenant: str, words: str) -> None:
        """Tell a person in a hurry what is enforced of a tenant."""
        await self.leases.say(tenant, words, SAID_FOR_MS)
