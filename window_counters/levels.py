"""What all counters of budgets hold in a window: for people who look, never for judging.

Sums are not of one instant, for slots are read one after the other. A slot of many fields is walked over a few at a
time, so that nobody else waits for it; of a budget that has more than ``most`` fields nothing is read.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spendgate.engine.names import Heads, Window
from window_counters.client import CONNECT_TIMEOUT_S, SOCKET_TIMEOUT_S, connect
from window_counters.faults import NO_INTEGER, translated
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId, StoreUnfit

MOST_FIELDS = 250_000
"""Of one budget: some 100,000 counters of a month, or 500 of a rolling window in which each is busy all the time."""
MOST_IN_ALL = 4 * MOST_FIELDS
AT_ONCE = 2_000
"""A slot of so many fields is read whole, in about a millisecond of the server's time."""


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


class _Piece(NamedTuple):
    """A slot of so many fields, and whose it is."""

    found: Found
    slot: str
    heads: Heads
    fields: int


class Levels:
    """Reads the Redis or Valkey at ``url``. Its methods raise StoreUnavailable and StoreUnfit.

    Beyond what a worker's user needs, an ACL must allow HSCAN.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url, False, SOCKET_TIMEOUT_S, CONNECT_TIMEOUT_S)

    async def of(self, partition: PartitionId, windows: Sequence[Window], most: int = MOST_FIELDS) -> list[Found]:
        """The counters of each window. Little is done between two round trips, for others use this loop too."""
        slots = [slot for window in windows for slot, _ in window.slots]
        lengths = dict(zip(slots, await self._piped(partition, "HLEN", slots), strict=True))
        found = list(_begun(windows, lengths, most))
        wanted = [
            _Piece(each, slot, heads, lengths[slot])
            for window, each in zip(windows, found, strict=True)
            if not each.too_many
            for slot, heads in window.slots
            if lengths[slot]
        ]
        for pieces in _together(wanted):
            await self._take(partition, pieces)
        return found

    async def _take(self, partition: PartitionId, pieces: Sequence[_Piece]) -> None:
        if pieces[0].fields > AT_ONCE:
            async for cells in self._walked(partition, pieces[0].slot):
                pieces[0].found.add(pieces[0].heads, cells.items())
            return
        read = await self._piped(partition, "HGETALL", [each.slot for each in pieces])
        for each, cells in zip(pieces, read, strict=True):
            each.found.add(each.heads, cells.items())

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


def _begun(windows: Iterable[Window], lengths: Mapping[str, int], most: int) -> Iterator[Found]:
    """What will be filled; what is too much, by itself or with those before it, stays empty."""
    left = MOST_IN_ALL
    for window in windows:
        fields = sum(lengths[slot] for slot, _ in window.slots)
        is_too_much = fields > min(most, left)
        left -= 0 if is_too_much else fields
        yield Found(too_many=fields if is_too_much else 0)


def _together(pieces: Iterable[_Piece]) -> Iterator[list[_Piece]]:
    """So many that they have about AT_ONCE fields; a larger one by itself."""
    some: list[_Piece] = []
    for each in pieces:
        if some and sum(known.fields for known in some) + each.fields > AT_ONCE:
            yield some
            some = []
        some.append(each)
    if some:
        yield some


def _number(value: bytes) -> int:
    try:
        return int(value)
    except ValueError:
        raise StoreUnfit(NO_INTEGER) from None
