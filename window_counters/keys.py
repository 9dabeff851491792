"""The names of a partition's keys; one hash tag, so that they live, move and are lost together."""

from functools import lru_cache

from window_counters.protocol import PartitionId


def prefix_of(topic: str, partition: int) -> str:
    """What the names of all keys of a partition begin with. ``2``: the layout; a worker of another one starts anew."""
    return f"sg:2:{{{topic}:{partition}}}:"


class Keys:
    """Key names of one partition, as bytes.

    ``mark`` string ``<topic_id>:<offset>``; ``t:<tenant>`` string, the tenant's document;
    ``i:<tenant>:<hour>`` set of 8-byte big-endian identities; ``c:<slot>`` hash, field to int64;
    ``x:<tenant>`` sorted set, slot name to expiry (ms). No key has a TTL: the owner deletes.
    """

    __slots__ = ("_prefix", "_slot", "mark")

    def __init__(self, partition: PartitionId) -> None:
        self._prefix = prefix_of(partition.topic, partition.partition)
        self._slot = f"{self._prefix}c:".encode()
        self.mark = f"{self._prefix}mark".encode()

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


@lru_cache(maxsize=4096)
def keys_of(partition: PartitionId) -> Keys:
    """The key names of a partition, made once."""
    return Keys(partition)
