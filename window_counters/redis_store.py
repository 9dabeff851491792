"""A CounterStore in Redis or Valkey: a batch is one script call on one hash tag, so it is of one instant."""

from collections.abc import Iterator, Mapping, Sequence
from weakref import WeakKeyDictionary

from window_counters.client import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, connect
from window_counters.faults import translated
from window_counters.fitness import require_no_eviction
from window_counters.keys import keys_of
from window_counters.protocol import Change, Look, Mark, PartitionId, Read, Snapshot, Sums
from window_counters.reservations import Reservations
from window_counters.scripts import Script
from window_counters.wire import (
    PackedLook,
    ReadReply,
    pack_apply,
    pack_look,
    pack_puts,
    pack_read,
    to_integers,
    unpack_read,
    unpack_sums,
)

_DUMP_SLOTS = 200
"""How many slots one round trip dumps."""


class RedisStore:
    """Counters in Redis >= 6.2 or Valkey, alone or as a cluster.

    ``url``: ``redis://``, ``rediss://`` or ``unix://``, else ValueError. Beyond what CounterStore says, any method
    may raise StoreUnfit (access refused, keys altered by somebody else) and OverflowError (a number that is no
    signed 64-bit integer; nothing is changed then). A user under an ACL needs keys ``sg:*`` and GET, SET, UNLINK,
    EXISTS, HINCRBY, HDEL, HGET, HLEN, HMGET, HSET, HGETALL, SADD, SCARD, SMISMEMBER, ZADD, ZREM, ZCARD, ZRANGE,
    ZRANGEBYSCORE, EVALSHA, SCRIPT LOAD, TIME and INFO.
    """

    def __init__(
        self,
        url: str,
        *,
        cluster: bool = False,
        socket_timeout_s: float | None = SOCKET_TIMEOUT_S,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
    ) -> None:
        self.client = self._client = connect(url, cluster, socket_timeout_s, connect_timeout_s)
        self.reservations = Reservations(self._client)
        self._read = Script("read")
        self._look = Script("look")
        self._looks: WeakKeyDictionary[Look, tuple[PartitionId, PackedLook]] = WeakKeyDictionary()
        self._apply = Script("give_back", "apply")
        self._put = Script("put")

    async def check_fit(self) -> None:
        """See CounterStore.check_fit."""
        with translated():
            await require_no_eviction(self._client)

    async def read(self, partition: PartitionId, wanted: Read) -> Snapshot:
        """See CounterStore.read."""
        call = pack_read(keys_of(partition), wanted)
        with translated():
            reply = await self._read(self._client, call)
        return unpack_read(wanted, ReadReply(*reply))

    async def sums(self, partition: PartitionId, look: Look, keys: Sequence[str]) -> Sums:
        """See CounterStore.sums."""
        packed = self._packed(partition, look)
        with translated():
            reply = await self._look(self._client, packed.of(keys))
        return unpack_sums(look, packed.ends, reply)

    def _packed(self, partition: PartitionId, look: Look) -> PackedLook:
        known = self._looks.get(look)
        if known is None or known[0] != partition:
            known = self._looks[look] = partition, pack_look(keys_of(partition), look)
        return known[1]

    async def apply(self, partition: PartitionId, seen: Mark | None, change: Change) -> bool:
        """See CounterStore.apply. After StoreUnavailable it may have run: read the mark before trying again."""
        call = pack_apply(keys_of(partition), seen, change)
        with translated():
            return bool(await self._apply(self._client, call))

    async def put(self, partition: PartitionId, cells: Mapping[str, Mapping[str, int]]) -> None:
        """See CounterStore.put."""
        for call in pack_puts(keys_of(partition), cells):
            with translated():
                await self._put(self._client, call)

    async def slots(self, partition: PartitionId, tenant: str, prefix: str) -> Sequence[str]:
        """See CounterStore.slots; sorted."""
        key = keys_of(partition).expiries(tenant)
        with translated():
            names = await self._client.execute_command("ZRANGE", key, 0, -1)
        return sorted(slot for slot in map(bytes.decode, names) if slot.startswith(prefix))

    async def dump(self, partition: PartitionId, slots: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
        """See CounterStore.dump."""
        dumped: dict[str, dict[str, int]] = {}
        for chunk in _chunks(slots):
            pipeline = self._client.pipeline(transaction=False)
            for key in map(keys_of(partition).slot, chunk):
                pipeline.execute_command("HGETALL", key)
            with translated():
                replies = await pipeline.execute()
            for slot, cells in zip(chunk, replies, strict=True):
                dumped[slot] = dict(zip(map(bytes.decode, cells), to_integers(cells.values()), strict=True))
        return dumped

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _chunks(slots: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(slots), _DUMP_SLOTS):
        yield slots[start : start + _DUMP_SLOTS]
