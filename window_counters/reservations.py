"""Reservations of a partition: what enforced budgets leave for a call, and what is promised to calls under way.

A check reserves its estimate before the call is made, in one script call with the counters that it is judged by. The
call's event, which names the check, gives it back in the script that adds its cost: what is spent is always in one of
the two, and never in both. Reservations are the one thing here that the log does not hold; the heartbeat of whoever
grants leases tells when some may have been lost.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

import msgspec

from window_counters.client import Client
from window_counters.faults import translated
from window_counters.keys import keys_of
from window_counters.protocol import Mark, PartitionId
from window_counters.scripts import Script
from window_counters.wire import Call, to_integers, unpack_mark

LeaseState = Literal["valid", "withdrawn", "none", "ended", "moved", "behind", "stale", "doubted"]
"""Of a staging's lease, and why it is not valid: see ``lua/reserve.lua``."""
Outcome = Literal["reserved", "held", "refused", "asked"]

EXPIRED_AT_ONCE = 200

_encode = msgspec.msgpack.Encoder().encode


class Limit(NamedTuple):
    """A budget of an enforced staging that looks at the call, and may block it.

    ``counter``: rule and key, as ``0 team=red``. ``first``, ``last``: the places, among the slots that are read, of
    those whose admitted sums are its window.
    """

    staging: str
    counter: str
    cap_nano_usd: int
    first: int
    last: int


class Ask(NamedTuple):
    """One check's question. ``cells``: by slot name the fields to read, admitted and recorded sums in turn.
    ``stagings``: by the name of each that looks at the call, whether it blocks it whatever the sums are.
    ``amount_nano_usd``: what to reserve; None reserves nothing."""

    check: str
    tenant: str
    documents: Sequence[str]
    cells: Mapping[str, Sequence[str]]
    stagings: Mapping[str, bool]
    limits: Sequence[Limit]
    amount_nano_usd: int | None
    keep_ms: int
    stale_ms: int


class Lease(NamedTuple):
    """What stands in Redis for a staging, as it was written, and whether it is valid now."""

    state: LeaseState
    text: bytes


class Answer(NamedTuple):
    """What was found, all of one instant. ``reserved_nano_usd``: for each limit, what other checks have reserved."""

    mark: Mark | None
    documents: Mapping[str, bytes]
    cells: Mapping[str, Sequence[int]]
    now_ms: int
    leases: Mapping[str, Lease]
    reserved_nano_usd: Sequence[int]
    outcome: Outcome


class Reservation(NamedTuple):
    """A reservation that has ended: by counter (``<staging> <rule> <key>``), what it held."""

    check: str
    deadline_ms: int
    amounts_nano_usd: Mapping[str, int]


class _Stored(msgspec.Struct):
    deadline_ms: int
    fields: list[tuple[str, str]] | dict[str, str]  # Lua writes an empty list as an empty object

    def amounts(self) -> dict[str, int]:
        return {field: int(amount) for field, amount in self.fields} if isinstance(self.fields, list) else {}


_stored = msgspec.json.Decoder(_Stored).decode


class Reservations:
    """Over a client of ``RedisStore``; every method may raise StoreUnavailable and StoreUnfit."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._reserve, self._release = Script("reserve"), Script("release")

    async def ask(self, partition: PartitionId, ask: Ask) -> Answer:
        """What is left; the estimate is reserved where all limits have room. After StoreUnavailable it may be."""
        with translated():
            reply = await self._reserve(self._client, _pack_ask(partition, ask))
        return _unpack_answer(ask, reply)

    async def release(self, partition: PartitionId, tenant: str, checks: Sequence[str]) -> list[Reservation]:
        """Give back what checks have reserved whose calls will not be made."""
        return await self._released(partition, tenant, checks, b"") or []

    async def expire(
        self, partition: PartitionId, tenant: str, before_ms: int, applied: int
    ) -> list[Reservation] | None:
        """Give back up to 200 reservations whose deadline was before ``before_ms``, if the mark has reached the offset
        ``applied``: the log's end as read after that instant. None where it has not."""
        deadlines = keys_of(partition).reserved(tenant)[2]
        with translated():
            due = await self._client.execute_command(
                "ZRANGEBYSCORE", deadlines, "-inf", f"({before_ms}", "LIMIT", 0, EXPIRED_AT_ONCE
            )
        return await self._released(partition, tenant, list(map(bytes.decode, due)), b"%d" % applied) if due else []

    async def _released(
        self, partition: PartitionId, tenant: str, checks: Sequence[str], applied: bytes
    ) -> list[Reservation] | None:
        keys = keys_of(partition)
        call = Call([keys.mark, *keys.reserved(tenant)], [applied, *map(str.encode, checks)])
        with translated():
            reply = await self._release(self._client, call)
        return None if reply is None else [_reservation(check, text) for check, text in reply]

    async def held(self, partition: PartitionId, tenant: str) -> Mapping[str, int]:
        """What is reserved, nano-USD by counter (``<staging> <rule> <key>``)."""
        with translated():
            found = await self._client.execute_command("HGETALL", keys_of(partition).reserved(tenant)[0])
        return dict(zip(map(bytes.decode, found), to_integers(found.values()), strict=True))


def _pack_ask(partition: PartitionId, ask: Ask) -> Call:
    keys = keys_of(partition)
    places = {staging: place for place, staging in enumerate(ask.stagings, 1)}
    plan = _encode({
        "docs": len(ask.documents),
        "fields": list(map(list, ask.cells.values())),
        "stagings": list(ask.stagings.items()),
        "limits": [
            (places[each.staging], _field(each), str(each.cap_nano_usd), each.first + 1, each.last + 1)
            for each in ask.limits
        ],
        "check": ask.check,
        "amount": "" if ask.amount_nano_usd is None else str(ask.amount_nano_usd),
        "keep_ms": ask.keep_ms,
        "stale_ms": ask.stale_ms,
    })  # fmt: skip
    head = [keys.mark, keys.beat, keys.leases(ask.tenant), *keys.reserved(ask.tenant)]
    return Call([*head, *map(keys.tenant, ask.documents), *map(keys.slot, ask.cells)], [plan])


def _field(limit: Limit) -> str:
    return f"{limit.staging} {limit.counter}"


def _unpack_answer(ask: Ask, reply: Sequence[Any]) -> Answer:
    mark, documents, cells, now_ms, states, sums, outcome, held = reply
    own = _stored(held).amounts() if held else {}
    return Answer(
        mark=unpack_mark(mark),
        documents={name: found for name, found in zip(ask.documents, documents, strict=True) if found is not None},
        cells=dict(_split(ask.cells, to_integers(cells))),
        now_ms=now_ms,
        leases={
            staging: Lease(state.decode(), text) for staging, (state, text) in zip(ask.stagings, states, strict=True)
        },
        reserved_nano_usd=[
            total - own.get(_field(limit), 0) for limit, total in zip(ask.limits, to_integers(sums), strict=True)
        ],
        outcome=outcome.decode(),
    )


def _split(wanted: Mapping[str, Sequence[str]], values: Sequence[int]) -> Iterator[tuple[str, list[int]]]:
    numbers = iter(values)
    for slot, names in wanted.items():
        yield slot, list(islice(numbers, len(names)))


def _reservation(check: bytes, text: bytes) -> Reservation:
    stored = _stored(text)
    return Reservation(check.decode(), stored.deadline_ms, stored.amounts())
