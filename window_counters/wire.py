"""What the Lua files take and give, as pure functions.

Whole lists travel as one MessagePack string: an argument for each field costs redis-py ten times the CPU.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, islice
from typing import Any, NamedTuple

import msgspec

from spendgate.model.unreadable import UNREADABLE
from window_counters.faults import NO_INTEGER
from window_counters.keys import Keys
from window_counters.limits import MAX_DUE, pack_identities, require_cells, require_change
from window_counters.protocol import Change, Look, Mark, Read, Snapshot, StoreUnfit, Sums

_encode = msgspec.msgpack.Encoder().encode
_integers = msgspec.json.Decoder(list[int]).decode

PUT_CELLS = 4000
"""How many cells one call sets: about 3 ms of the server's time."""


class Call(NamedTuple):
    """The keys and the arguments of one script call."""

    keys: list[bytes]
    args: list[bytes]


def pack_mark(mark: Mark | None) -> bytes:
    """``<topic_id>:<offset>``, or nothing for none."""
    return b"" if mark is None else f"{mark.topic_id}:{mark.offset}".encode()


def unpack_mark(stored: bytes | None) -> Mark | None:
    """The mark as stored; StoreUnfit if somebody else wrote it."""
    if stored is None:
        return None
    topic_id, _, offset = stored.decode(errors="replace").rpartition(":")
    try:
        return Mark(topic_id, int(offset))
    except ValueError:
        raise StoreUnfit("mark: expected <topic_id>:<offset>") from None


def pack_apply(keys: Keys, seen: Mark | None, change: Change) -> Call:
    """The call of ``apply.lua``; OverflowError for numbers out of range."""
    require_change(change)
    increments = {slot: deltas for slot, deltas in change.increments.items() if deltas}
    sets = {keys.identities(*where): packed for where, packed in _identity_sets(change) if packed}
    expiries = {tenant: slots for tenant, slots in change.expiries.items() if slots}
    forget = {tenant: slots for tenant, slots in change.drop_slots.items() if slots}
    settled = {tenant: checks for tenant, checks in change.settled.items() if checks}
    plan = _encode({
        "fields": [list(deltas) for deltas in increments.values()],
        "deltas": list(map(str, chain.from_iterable(deltas.values() for deltas in increments.values()))),
        "sets": len(sets),
        "expiries": [_flat((str(ms), slot) for slot, ms in slots.items()) for slots in expiries.values()],
        "docs": len(change.tenants),
        "forget": [list(slots) for slots in forget.values()],
        "settled": [list(checks) for checks in settled.values()],
    })  # fmt: skip
    return Call(
        [
            keys.mark,
            *map(keys.slot, increments),
            *sets,
            *map(keys.expiries, expiries),
            *map(keys.tenant, change.tenants),
            *map(keys.expiries, forget),
            *chain.from_iterable(map(keys.reserved, settled)),
            *_deleted(keys, change),
        ],
        [pack_mark(seen), pack_mark(change.mark), plan, *sets.values(), *change.tenants.values()],
    )


def _identity_sets(change: Change) -> Iterator[tuple[tuple[str, int], bytes]]:
    for tenant, hours in change.identities.items():
        for hour, identities in hours.items():
            yield (tenant, hour), pack_identities(identities)


def _deleted(keys: Keys, change: Change) -> Iterator[bytes]:
    for slots in change.drop_slots.values():
        yield from map(keys.slot, slots)
    for tenant, hours in change.drop_hours.items():
        yield from (keys.identities(tenant, hour) for hour in hours)


def _flat(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return list(chain.from_iterable(pairs))


def pack_read(keys: Keys, wanted: Read) -> Call:
    """The call of ``read.lua``."""
    plan = _encode({
        "docs": len(wanted.tenants),
        "hours": [len(hours) for hours, _ in wanted.identities.values()],
        "fields": list(map(list, wanted.cells.values())),
        "due": list(map(str, wanted.due.values())),
        "most": MAX_DUE,
    })  # fmt: skip
    return Call(
        [
            keys.mark,
            *map(keys.tenant, wanted.tenants),
            *(keys.identities(name, hour) for name, (hours, _) in wanted.identities.items() for hour in hours),
            *map(keys.slot, wanted.cells),
            *map(keys.expiries, wanted.due),
        ],
        [plan, *(pack_identities(identities) for _, identities in wanted.identities.values())],
    )


class PackedLook(NamedTuple):
    """What is the same in every call of ``look.lua`` for a Look, without its keys; ``ends``: where each window's values
    end among all of them."""

    call: Call
    ends: list[int]

    def of(self, keys: Sequence[str]) -> Call:
        """The call for these keys."""
        return Call(self.call.keys, [*self.call.args, *map(str.encode, keys)])


def pack_look(keys: Keys, look: Look) -> PackedLook:
    """See ``look.lua``."""
    plan, ends = look_plan(look)
    return PackedLook(Call([keys.mark, *look_keys(keys, look)], [_encode(plan)]), ends)


def look_plan(look: Look) -> tuple[dict[str, Any], list[int]]:
    """What a script is told of a Look, and where each window's values end among all of them."""
    slots = [(window.key, heads) for window in look.windows for _, heads in window.slots]
    lists = {heads: place for place, heads in enumerate(dict.fromkeys(heads for _, heads in slots), 1)}
    plan = {
        "docs": len(look.tenants),
        "heads": list(lists),
        "slots": list(chain.from_iterable((lists[heads], key + 1) for key, heads in slots)),
    }
    sizes = (sum(len(heads) for _, heads in window.slots) for window in look.windows)
    return plan, list(accumulate(sizes))


def look_keys(keys: Keys, look: Look) -> list[bytes]:
    """The keys that a Look reads: of documents, then of slots."""
    slots = (name for window in look.windows for name, _ in window.slots)
    return [*map(keys.tenant, look.tenants), *map(keys.slot, slots)]


def unpack_sums(look: Look, ends: Sequence[int], reply: tuple[bytes | None, list[bytes | None], bytes]) -> Sums:
    """The reply of ``look.lua``; StoreUnfit for what is no integer."""
    mark, docs, values = reply
    cells = numbers_of(values, ends[-1] if ends else 0)
    return Sums(unpack_mark(mark), documents_of(look, docs), summed(cells, ends))


def numbers_of(text: bytes, count: int) -> list[int]:
    """So many numbers of a script's reply; StoreUnfit for what is no signed 64-bit integer."""
    try:
        numbers = _integers(text)
        require_cells(numbers)
    except (*UNREADABLE, OverflowError):
        raise StoreUnfit(NO_INTEGER) from None
    if len(numbers) != count:
        raise StoreUnfit(NO_INTEGER)
    return numbers


def summed(cells: Sequence[int], ends: Sequence[int]) -> list[int]:
    """By window the admitted and the recorded sum, in turn."""
    sums, first = [], 0
    for end in ends:
        sums += [sum(cells[first:end:2]), sum(cells[first + 1 : end : 2])]
        first = end
    return sums


def documents_of(look: Look, docs: Sequence[bytes | None]) -> dict[str, bytes]:
    """The documents that were found, by name."""
    return {name: found for name, found in zip(look.tenants, docs, strict=True) if found is not None}


class ReadReply(NamedTuple):
    """The reply of ``read.lua``, in its order."""

    mark: bytes | None
    docs: list[bytes | None]
    known: list[list[int]]
    cells: list[bytes | None]
    due: list[list[bytes]]


def unpack_read(wanted: Read, reply: ReadReply) -> Snapshot:
    """The reply of ``read.lua`` under the names that were asked for."""
    return Snapshot(
        mark=unpack_mark(reply.mark),
        tenants={name: doc for name, doc in zip(wanted.tenants, reply.docs, strict=True) if doc is not None},
        known={
            tenant: _known(hours, identities, places)
            for (tenant, (hours, identities)), places in zip(wanted.identities.items(), reply.known, strict=True)
        },
        cells=_cells(wanted.cells, reply.cells),
        due={tenant: [slot.decode() for slot in slots] for tenant, slots in zip(wanted.due, reply.due, strict=True)},
    )


def _known(hours: Sequence[int], identities: Sequence[int], places: Sequence[int]) -> dict[int, int]:
    pairs = zip(places[::2], places[1::2], strict=True)
    return {identities[identity - 1]: hours[hour - 1] for identity, hour in pairs}


def to_integers(values: Iterable[bytes | None]) -> list[int]:
    """Values of cells, zero for what is absent; StoreUnfit for what is no signed 64-bit integer."""
    try:
        numbers = [0 if value is None else int(value) for value in values]
        require_cells(numbers)
    except (ValueError, OverflowError):
        raise StoreUnfit(NO_INTEGER) from None
    return numbers


def _cells(wanted: Mapping[str, Sequence[str]], values: Sequence[bytes | None]) -> dict[str, list[int]]:
    numbers = iter(to_integers(values))
    return {slot: list(islice(numbers, len(names))) for slot, names in wanted.items()}


def pack_puts(keys: Keys, cells: Mapping[str, Mapping[str, int]]) -> Iterator[Call]:
    """The calls of ``put.lua`` that set ``cells``, PUT_CELLS at a time; OverflowError before the first."""
    for values in cells.values():
        require_cells(values.values())
    everything = [(slot, name, str(value)) for slot, values in cells.items() for name, value in values.items()]
    for start in range(0, len(everything), PUT_CELLS):
        chunk: dict[str, list[str]] = {}
        for slot, name, value in everything[start : start + PUT_CELLS]:
            chunk.setdefault(slot, []).extend((name, value))
        yield Call(list(map(keys.slot, chunk)), [_encode(list(chunk.values()))])
