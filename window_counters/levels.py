"""What all counters of budgets hold in a window: for people who look, never for judging.

Sums are not of one instant, for slots are read one after the other. A slot of many fields is walked over a few at a
time, so that nobody else waits for it; of a budget that has more than ``most`` fields nothing is read.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spendgate.engine.names import Heads, Window
from window_counters.client import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, connect
from window_counters.faults import translated
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId, Snapshot, StoreUnfit
from window_counters.wire import unpack_mark

MOST_FIELDS = 250_000
"""Of one budget: some 100,000 counters of a month, or 500 of a rolling window in which each is busy all the time."""
AT_ONCE = 2_000
"""A slot of so many fields is read whole, in about a millisecond of the server's time."""
_PIPED = 500


class Level(NamedTuple):
    """What a counter holds, nano-USD."""

    admitted_nano_usd: int
    recorded_nano_usd: int


@dataclass(slots=True)
class Found:
    """The counters of one window by their keys. ``too_many``: so many fields it has, and none was read."""

    levels: dict[str, Level] = field(default_factory=dict)
    too_many: int = 0

    def add(self, heads: Heads, cells: Iterable[tuple[bytes, bytes]]) -> None:
        """Take in the fields of a slot that begin as asked for. Raises StoreUnfit for what is no number."""
        for name, value in cells:
            head, _, key = name.decode(errors="replace").partition(" ")
            if f"{head} " in heads:
                known = self.levels.get(key, Level(0, 0))
                number = _number(value)
                admits = head[:1] in "aA"
                self.levels[key] = Level(known[0] + number * admits, known[1] + number * (not admits))


class Levels:
    """Reads the Redis or Valkey at ``url``. Its methods raise StoreUnavailable and StoreUnfit.

    Beyond what a worker's user needs, an ACL must allow HSCAN.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url, False, SOCKET_TIMEOUT_S, CONNECT_TIMEOUT_S)

    async def documents(self, partition: PartitionId, names: Sequence[str]) -> Snapshot:
        """Documents by their names in the store, and the mark."""
        keys = keys_of(partition)
        with translated():
            mark, *found = await self._client.execute_command("MGET", keys.mark, *map(keys.tenant, names))
        known = {name: each for name, each in zip(names, found, strict=True) if each is not None}
        return Snapshot(unpack_mark(mark), known, {}, {}, {})

    async def of(self, partition: PartitionId, windows: Sequence[Window], most: int = MOST_FIELDS) -> list[Found]:
        """The counters of each window."""
        slots = [slot for window in windows for slot, _ in window.slots]
        lengths = dict(zip(slots, await self._piped(partition, "HLEN", slots), strict=True))
        found = [_begun(window, lengths, most) for window in windows]
        wanted = [
            (each, slot, heads)
            for window, each in zip(windows, found, strict=True)
            if not each.too_many
            for slot, heads in window.slots
            if lengths[slot]
        ]
        small = [each for each in wanted if lengths[each[1]] <= AT_ONCE]
        for start in range(0, len(small), _PIPED):
            some = small[start : start + _PIPED]
            for (each, _, heads), cells in zip(
                some, await self._piped(partition, "HGETALL", [slot for _, slot, _ in some]), strict=True
            ):
                each.add(heads, cells.items())
        for each, slot, heads in wanted:
            if lengths[slot] > AT_ONCE:
                async for cells in self._walked(partition, slot):
                    each.add(heads, cells.items())
        return found

    async def _piped(self, partition: PartitionId, command: str, slots: Sequence[str]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for slot in slots:
            pipeline.execute_command(command, keys_of(partition).slot(slot))
        with translated():
            return list(await pipeline.execute()) if slots else []

    async def _walked(self, partition: PartitionId, slot: str) -> AsyncIterator[Mapping[bytes, bytes]]:
        """A field that comes again while the slot grows is passed over."""
        seen: set[bytes] = set()
        cursor = 0
        while True:
            with translated():
                cursor, cells = await self._client.execute_command(
                    "HSCAN", keys_of(partition).slot(slot), cursor, "COUNT", AT_ONCE
                )
            yield {name: value for name, value in cells.items() if name not in seen}
            seen.update(cells)
            if not cursor:
                return

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _begun(window: Window, lengths: Mapping[str, int], most: int) -> Found:
    fields = sum(lengths[slot] for slot, _ in window.slots)
    return Found(too_many=fields if fields > most else 0)


def _number(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        raise StoreUnfit("redis holds a counter that is no integer: somebody else wrote to it") from None
