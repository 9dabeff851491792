"""Looking at all that a partition has in Redis, and taking it away: for proofs and rebuilds, never for judging."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from window_counters.client import CONNECT_TIMEOUT_S, connect
from window_counters.faults import translated
from window_counters.keys import keys_of, prefix_of
from window_counters.limits import MAX_INT64, MIN_INT64, pack_identities
from window_counters.protocol import WITHHELD, Mark, PartitionId
from window_counters.scripts import Script
from window_counters.wire import Call, pack_mark, unpack_mark

MAX_FIELDS = 20_000
"""How many fields one call reads: about 10 ms of the server's time."""
_SOCKET_TIMEOUT_S = 30.0
_SCANNED = 5_000
_KINDS = ("c:", "i:", "t:", "x:")
_encode = msgspec.msgpack.Encoder().encode


class Held(NamedTuple):
    """An identity set: how many it has, and how many of those that were looked for."""

    members: int
    present: int


class Page(NamedTuple):
    """What was read at ``mark``. ``documents`` by the names asked for, without what is absent; ``sets`` in the order of
    the question; ``slots``: the first ones of the question, every field with its value, None for what is no int64."""

    mark: Mark | None
    documents: Mapping[str, bytes]
    sets: Sequence[Held]
    slots: Mapping[str, Mapping[str, int | None]]


@dataclass(slots=True)
class Names:
    """Names that a partition holds, not of one instant: slots, tenants, and hours with identities by tenant."""

    slots: set[str] = field(default_factory=set)
    tenants: set[str] = field(default_factory=set)
    hours: dict[str, set[int]] = field(default_factory=dict)

    def take(self, name: str) -> None:
        """One key's name without the partition's prefix; what is no name of ours is passed over."""
        kind, rest = name[:2], name[2:]
        if kind == "c:":
            self.slots.add(rest)
        elif kind == "t:":
            self.tenants.add(rest.removesuffix(" staged"))
        elif kind == "i:":
            tenant, _, hour = rest.rpartition(":")
            if hour.isdecimal():
                self.hours.setdefault(tenant, set()).add(int(hour))


class Inspector:
    """Reads whole partitions of the Redis or Valkey at ``url``. Its methods raise what RedisStore's raise.

    Beyond what a worker's user needs, an ACL must allow SCAN, and DEL for ``take_away``.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url, False, _SOCKET_TIMEOUT_S, CONNECT_TIMEOUT_S)
        self._inspect = Script("inspect")

    async def mark(self, partition: PartitionId) -> Mark | None:
        """The mark as it stands."""
        with translated():
            return unpack_mark(await self._client.execute_command("GET", keys_of(partition).mark))

    async def names(self, partition: PartitionId) -> Names:
        """What there is, by name; walks over all keys of the server, without holding it up."""
        found = Names()
        async for keys in self._keys(partition):
            for key in keys:
                found.take(key)
        return found

    async def page(
        self,
        partition: PartitionId,
        documents: Sequence[str] = (),
        sets: Sequence[tuple[str, int, Sequence[int]]] = (),
        slots: Sequence[str] = (),
    ) -> Page:
        """Read documents (by their names in the store), identity sets (tenant, hour, and whom to look for) and slots,
        of which the last ones may be left for another page."""
        keys = keys_of(partition)
        call = Call(
            [
                keys.mark,
                *map(keys.tenant, documents),
                *(keys.identities(tenant, hour) for tenant, hour, _ in sets),
                *map(keys.slot, slots),
            ],
            [
                _encode({"docs": len(documents), "sets": len(sets), "most": MAX_FIELDS}),
                *(pack_identities(identities) for _, _, identities in sets),
            ],
        )
        with translated():
            mark, found, counts, cells = await self._inspect(self._client, call)
        return Page(
            unpack_mark(mark),
            {name: each for name, each in zip(documents, found, strict=True) if each is not None},
            [Held(*counts[i : i + 2]) for i in range(0, len(counts), 2)],
            {slot: _numbers(each) for slot, each in zip(slots, cells, strict=False)},
        )

    async def take_away(self, partition: PartitionId) -> int:
        """Delete the partition's counters, identities, documents and mark, so that its worker begins it anew.

        While that goes on the mark says so, and no worker judges or applies anything; broken off, it is done again.
        Returns how many keys there were.
        """
        mark = keys_of(partition).mark
        with translated():
            await self._client.execute_command("SET", mark, pack_mark(WITHHELD))
        deleted = gone = await self._delete(partition)
        while gone:
            gone = await self._delete(partition)
            deleted += gone
        with translated():
            await self._client.execute_command("DEL", mark)
        return deleted

    async def _delete(self, partition: PartitionId) -> int:
        prefix, deleted = prefix_of(partition.topic, partition.partition), 0
        async for keys in self._keys(partition):
            ours = [prefix + key for key in keys if key.startswith(_KINDS)]
            if ours:
                with translated():
                    await self._client.execute_command("UNLINK", *ours)
            deleted += len(ours)
        return deleted

    async def _keys(self, partition: PartitionId) -> AsyncIterator[list[str]]:
        """The names of the partition's keys without their prefix, a few at a time; one may come twice."""
        prefix, cursor = prefix_of(partition.topic, partition.partition), 0
        while True:
            with translated():
                cursor, keys = await self._client.execute_command(
                    "SCAN", cursor, "MATCH", f"{prefix}*", "COUNT", _SCANNED
                )
            yield [key.decode(errors="replace").removeprefix(prefix) for key in keys]
            if not cursor:
                return

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _numbers(cells: Sequence[bytes]) -> dict[str, int | None]:
    pairs = zip(cells[::2], cells[1::2], strict=True)
    return {name.decode(errors="replace"): _number(value) for name, value in pairs}


def _number(value: bytes) -> int | None:
    try:
        number = int(value)
    except ValueError:
        return None
    return number if MIN_INT64 <= number <= MAX_INT64 else None
