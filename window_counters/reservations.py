"""Reservations of a partition: what enforced budgets leave for a call, and what is promised to calls under way.

A check reserves its estimate before the call is made, in one script call with the counters that it is judged by. The
call's event, which names the check, gives it back in the script that adds its cost: what is spent is always in one of
the two, and never in both. Reservations are the one thing here that the log does not hold; the heartbeat of whoever
grants leases tells when some may have been lost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from window_counters.client import Client
from window_counters.faults import translated
from window_counters.keys import Keys, keys_of
from window_counters.protocol import Look, PartitionId, Sums
from window_counters.scripts import Script
from window_counters.wire import Call, documents_of, look_keys, look_plan, numbers_of, summed, to_integers, unpack_mark

LeaseState = Literal["valid", "withdrawn", "none", "ended", "moved", "behind", "stale", "doubted"]
"""Of a staging's lease, and why it is not valid: see ``lua/reserve.lua``."""
Outcome = Literal["reserved", "held", "refused", "asked"]

EXPIRED_AT_ONCE = 200

_encode = msgspec.msgpack.Encoder().encode


class Standing(StrEnum):
    """How a staging stands to a call: it is left ``ASIDE``; its budgets are ``ASKED``; it ``BLOCKS`` the call whatever
    the sums are; or its budgets are asked, and the review that one may want is ``APPROVED`` of this very call."""

    ASIDE = "-"
    ASKED = "f"
    BLOCKS = "b"
    APPROVED = "a"


class Limit(NamedTuple):
    """A budget of an enforced staging that may block a call.

    ``counter``: its rule, ``key``: the place of the key that its counter is of. ``window``: the place of its window
    among those that are looked at. ``is_review``: whether a breach asks for a person.
    """

    staging: str
    counter: str
    key: int
    cap_nano_usd: int
    window: int
    is_review: bool = False


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Claim:
    """What is the same in every check of a class of calls; keep it: each is packed once. ``stagings``: those that may
    be enforced for such a call; ``limits``: their budgets that may block it."""

    tenant: str
    look: Look
    stagings: Sequence[str]
    limits: Sequence[Limit]


class Ask(NamedTuple):
    """One check's question. ``keys``: of its counters; ``standings``: of each staging of the claim.
    ``amount_nano_usd``: what to reserve; None reserves nothing."""

    check: str
    claim: Claim
    keys: Sequence[str]
    standings: Sequence[Standing]
    amount_nano_usd: int | None
    keep_ms: int
    stale_ms: int


class Lease(NamedTuple):
    """What stands in Redis for a staging, as it was written, and whether it is valid now."""

    state: LeaseState
    text: bytes


class Answer(NamedTuple):
    """What was found, all of one instant. ``found``: what the claim looks at; ``leases``: of the stagings that were
    not left aside; ``reserved_nano_usd``: for each limit, what other checks have reserved."""

    found: Sums
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
        self._reserve, self._release = Script("reserve"), Script("give_back", "release")
        self._claims: WeakKeyDictionary[Claim, tuple[PartitionId, _PackedClaim]] = WeakKeyDictionary()

    async def ask(self, partition: PartitionId, ask: Ask) -> Answer:
        """What is left; the estimate is reserved where all limits have room. After StoreUnavailable it may be."""
        packed = self._packed(partition, ask.claim)
        with translated():
            reply = await self._reserve(self._client, packed.of(ask))
        return _unpack_answer(ask, packed, reply)

    def _packed(self, partition: PartitionId, claim: Claim) -> "_PackedClaim":
        known = self._claims.get(claim)
        if known is None or known[0] != partition:
            known = self._claims[claim] = partition, _pack_claim(keys_of(partition), claim)
        return known[1]

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


class _PackedClaim(NamedTuple):
    """What is the same in every call of ``reserve.lua`` for a claim, without its keys; ``ends``: where each window's
    values end; ``fields``: what each limit's field in the reserved sums begins with."""

    call: Call
    ends: Sequence[int]
    fields: Sequence[str]

    def of(self, ask: Ask) -> Call:
        """The call for one check."""
        amount = b"" if ask.amount_nano_usd is None else b"%d" % ask.amount_nano_usd
        said = [ask.check.encode(), amount, b"%d" % ask.keep_ms, b"%d" % ask.stale_ms, "".join(ask.standings).encode()]
        return Call(self.call.keys, [*self.call.args, *said, *map(str.encode, ask.keys)])


def _pack_claim(keys: Keys, claim: Claim) -> _PackedClaim:
    look, ends = look_plan(claim.look)
    places = {staging: place for place, staging in enumerate(claim.stagings, 1)}
    fields = [f"{each.staging} {each.counter} " for each in claim.limits]
    firsts = [0, *ends]
    plan = look | {
        "stagings": list(claim.stagings),
        "limits": [
            (places[each.staging], field, each.key + 1, str(each.cap_nano_usd), firsts[each.window] + 1,
             firsts[each.window + 1], each.is_review)
            for each, field in zip(claim.limits, fields, strict=True)
        ],
    }  # fmt: skip
    head = [keys.mark, keys.beat, keys.leases(claim.tenant), *keys.reserved(claim.tenant)]
    return _PackedClaim(Call([*head, *look_keys(keys, claim.look)], [_encode(plan)]), ends, fields)


def _unpack_answer(ask: Ask, packed: _PackedClaim, reply: Sequence[Any]) -> Answer:
    mark, documents, numbers, now_ms, leases, outcome, held = reply
    claim, size = ask.claim, packed.ends[-1] if packed.ends else 0
    cells = numbers_of(numbers, size + len(claim.limits))
    reserved = cells[size:]
    if held:
        own = _stored(held).amounts()
        names = (field + ask.keys[limit.key] for field, limit in zip(packed.fields, claim.limits, strict=True))
        reserved = [total - own.get(name, 0) for name, total in zip(names, reserved, strict=True)]
    return Answer(
        found=Sums(unpack_mark(mark), documents_of(claim.look, documents), summed(cells, packed.ends)),
        now_ms=now_ms,
        leases={
            staging: Lease(state.decode(), text)
            for staging, state, text in zip(claim.stagings, leases[::2], leases[1::2], strict=True)
            if state
        },
        reserved_nano_usd=reserved,
        outcome=outcome.decode(),
    )


def _reservation(check: bytes, text: bytes) -> Reservation:
    stored = _stored(text)
    return Reservation(check.decode(), stored.deadline_ms, stored.amounts())
