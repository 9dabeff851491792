"""The names of a partition's keys; one hash tag, so that they live, move and are lost together."""

from functools import lru_cache

from window_counters.protocol import PartitionId


def prefix_of(topic: str, partition: int) -> str:
    """What the names of all keys of a partition begin with. ``2``: the layout; a worker of another one starts anew."""
    return f"sg:2:{{{topic}:{partition}}}:"


def hurried_key(tenant: str) -> str:
    """Where a person in a hurry reads what is enforced of a tenant; absent means nothing is."""
    return f"sg:enforcement:{tenant}"


class Keys:
    """Key names of one partition, as bytes.

    ``mark`` string ``<topic_id>:<offset>``; ``t:<tenant>`` string, the tenant's document;
    ``i:<tenant>:<hour>`` set of 8-byte big-endian identities; ``c:<slot>`` hash, field to int64;
    ``x:<tenant>`` sorted set, slot name to expiry (ms). No key has a TTL: the owner deletes.

    Of enforcement: ``beat`` string, the heartbeat of who grants leases; ``l:<tenant>`` hash, staging to its lease;
    ``q:<tenant>`` hash, ``<staging> <rule> <key>`` to what is reserved (nano-USD); ``r:<tenant>`` hash, check to its
    reservation; ``z:<tenant>`` sorted set, check to deadline (ms).
    """

    __slots__ = ("_prefix", "_slot", "beat", "mark")

    def __init__(self, partition: PartitionId) -> None:
        self._prefix = prefix_of(partition.topic, partition.partition)
        self._slot = f"{self._prefix}c:".encode()
        self.mark = f"{self._prefix}mark".encode()
        self.beat = f"{self._prefix}beat".encode()

    def tenant(self, tenant: str) -> bytes:
        """The tenant's document."""
        return f"{self._prefix}t:{tenant}".encode()

    def identities(self, tenant: str, hour: int) -> bytes:
        """The identities filed under a whole hour since the epoch."""
        return f"{self._prefix}i:{tenant}:{hour}".encode()

    def slot(self, slot: str) -> bytes:
        """The cells of a slot."""
        return self._slot + slot.encode()

    def expiries(self, tenant: str) -> bytes:
        """When the tenant's slots expire."""
        return f"{self._prefix}x:{tenant}".encode()

    def leases(self, tenant: str) -> bytes:
        """The leases of the tenant's enforced stagings."""
        return f"{self._prefix}l:{tenant}".encode()

    def reserved(self, tenant: str) -> list[bytes]:
        """What the tenant's checks have reserved: the sums, the reservations, their deadlines."""
        return [f"{self._prefix}{kind}:{tenant}".encode() for kind in "qrz"]


@lru_cache(maxsize=4096)
def keys_of(partition: PartitionId) -> Keys:
    """The key names of a partition, made once."""
    return Keys(partition)
