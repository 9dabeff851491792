"""One check's reservation beside a plain ``INCRBY``: one client each, one call after the other, in turn.

What is timed of a reservation is ``Reservations.ask``, as the door calls it: it packs the question, one script call
reads mark, documents, the month's counter, lease and heartbeat, compares with the cap and reserves, and the answer is
unpacked. What is timed beside it is ``INCRBY`` of one key by the same amount, awaited over the same client. Both one
call after the other, and as many at once as a door makes.

``reserve_vs_check_p99``: the door's check of one tenant, without HTTP, that reserves beside one that does not, each due
at fixed times.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dev.redis_process import RedisProcess
from gateway_shadow.checks.checking import READS, Checker
from gateway_shadow.checks.flag_watch import Watched
from gateway_shadow.checks.holding import Hold
from policy_store.signing import Signer, make_key_file
from spendgate.engine.names import Window
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.model.canonical import policy_hash
from spendgate.model.event import Event
from spendgate.model.lease import Lease, encode_lease, signed_lease_bytes
from spendgate.model.partition import partition_of
from spendgate.model.policy import Policy
from spendgate.model.topics import load_topics
from window_counters.documents import document_names, whole
from window_counters.leases import Leases
from window_counters.protocol import Change, Look, Mark, PartitionId
from window_counters.redis_store import RedisStore
from window_counters.reservations import Ask, Claim, Limit, Standing

TENANT, STAGING = "acme", "stg-59d4e0c760c31258"
TOPIC = load_topics().events
HOME = PartitionId(TOPIC.name, partition_of(TENANT.encode(), TOPIC.partitions))
BUDGET = {
    "cap_usd": "2000000000",
    "window": {"calendar": "month", "timezone": "UTC"},
    "per": ["team"],
    "on_breach": "deny",
}
POLICY = Policy.model_validate(
    {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": "marketing-monthly"},
     "spec": {"rules": [{"budget": BUDGET}]}}
)  # fmt: skip
HASH = policy_hash(POLICY)
AMOUNT_NANO_USD, CAP_NANO_USD, LEASE_MS = 6_500_000, 2**61, 60_000
KEEP_MS, STALE_MS = 600_000, 60_000
KEY, SLOTS, HEADS = "team=marketing", (f"{TENANT} {STAGING} 0 1761955200000",), ("a0 ", "r0 ")
"""A month's slot, and what the names of its two sums of a team begin with."""
CALLS, TURNS, AT_ONCE = 1_000, 20, READS


class Turn(NamedTuple):
    """Calls a second, and how long 99 of 100 took at most."""

    per_s: float
    p99_ms: float


RATE_PER_S, DUE, DUE_TURNS = 200, 400, 4

Once = Callable[[int], Awaitable[object]]


def reserving() -> dict[str, Any]:
    """The ratio, and what it is made of, on a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = RedisProcess(Path(folder))
        try:
            server.start()
            server.wait_ready()
            return asyncio.run(_measured(server.url, Path(folder)))
        finally:
            server.kill()


async def _measured(url: str, folder: Path) -> dict[str, Any]:
    store = RedisStore(url, socket_timeout_s=None)
    try:
        await _enforced(store)
        agent = _Agent(store, make_key_file(folder / "enforcement.pem"))
        found = {at_once: await _in_turn(store, agent, at_once) for at_once in (1, AT_ONCE)}
        waited_ms = await _at_rate(store, agent)
    finally:
        await store.close()
    several = {f"{name}_{n}_at_once": turn for n, turns in found.items() for name, turn in turns.items()}
    return {
        "ratios": {
            "reserve_vs_check_p99": round(waited_ms["check_that_reserves"] / waited_ms["check"], 2),
            "reserve_vs_incrby": _ratio(found[AT_ONCE]),
            "reserve_vs_incrby_one_by_one": _ratio(found[1]),
        },
        "calls_per_s": {name: round(turn.per_s) for name, turn in several.items()},
        "call_p99_ms": {name: round(turn.p99_ms, 3) for name, turn in several.items()},
        f"p99_ms_at_{RATE_PER_S}_per_s": {name: round(each, 2) for name, each in waited_ms.items()},
    }


def _ratio(found: Mapping[str, Turn]) -> float:
    return round(found["reserve"].per_s / found["incrby"].per_s, 3)


async def _in_turn(store: RedisStore, agent: "_Agent", at_once: int) -> dict[str, Turn]:
    """By name the fastest of some turns, and the lowest of their p99."""
    contestants: dict[str, Once] = {"incrby": _incrby(store), "reserve": _reserve(store, at_once)}
    found: dict[str, list[Turn]] = {name: [] for name in contestants}
    for turn in range(TURNS):
        for name, once in contestants.items():
            await agent.grant()
            found[name].append(await _timed(once, turn * CALLS, at_once))
    return {name: Turn(max(t.per_s for t in turns), min(t.p99_ms for t in turns)) for name, turns in found.items()}


async def _at_rate(store: RedisStore, agent: "_Agent") -> dict[str, float]:
    """By name the p99 (ms) of its quietest turn, at so many a second, from when each was due."""
    found: dict[str, list[float]] = {}
    contestants = {
        "incrby": _incrby(store),
        "check": _check(store, reserves=False),
        "check_that_reserves": _check(store, reserves=True),
    }
    for turn in range(DUE_TURNS + 1):
        for name, once in contestants.items():
            await agent.grant()
            late = await _when_due(once, turn * DUE)
            if turn:  # the first one warms up
                found.setdefault(name, []).append(sorted(late)[int(DUE * 0.99)] * 1000)
    return {name: min(turns) for name, turns in found.items()}


async def _when_due(once: Once, first: int) -> list[float]:
    begun, late = time.perf_counter() + 0.05, list[float]()

    async def one(number: int, due: float) -> None:
        await once(number)
        late.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(DUE):
            due = begun + number / RATE_PER_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(first + number, due))
    return late


async def _timed(once: Once, first: int, at_once: int) -> Turn:
    seconds: list[float] = []
    numbers = iter(range(first, first + CALLS))

    async def caller() -> None:
        for number in numbers:
            begun = time.perf_counter()
            await once(number)
            seconds.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return Turn(CALLS / (time.perf_counter() - begun), sorted(seconds)[int(CALLS * 0.99)] * 1000)


def _incrby(store: RedisStore) -> Once:
    async def once(_: int) -> None:
        await store.client.incrby("plain", AMOUNT_NANO_USD)

    return once


def _reserve(store: RedisStore, at_once: int) -> Once:
    look = Look(document_names([TENANT]), [Window(0, tuple((slot, HEADS) for slot in SLOTS))])
    claim = Claim(TENANT, look, [STAGING], [Limit(STAGING, "0", 0, CAP_NANO_USD, 0)])

    async def once(number: int) -> None:
        name = f"chk-{at_once}-{number:016x}"
        ask = Ask(name, claim, [KEY], [Standing.ASKED], AMOUNT_NANO_USD, KEEP_MS, STALE_MS)
        answer = await store.reservations.ask(HOME, ask)
        if answer.outcome != "reserved":
            raise RuntimeError(f"expected a reservation, got {answer.outcome} ({answer.leases})")

    return once


def _check(store: RedisStore, *, reserves: bool) -> Once:
    """The door's check of one tenant, with and without what enforcing adds to it."""

    async def policies(_: str, __: Iterable[str]) -> Mapping[str, Policy]:
        return {HASH: POLICY}

    checker = Checker(store, TOPIC, policies)
    watched = {STAGING: Watched(STAGING, POLICY.metadata.name, HASH, None, "crt-7088a416d55dc80e", True, POLICY)}

    async def once(number: int) -> None:
        now = datetime.now(UTC)
        event = Event(
            id=f"chk-due-{number:016x}", source="check", tenant=TENANT, time=now, team="marketing", model="gpt-4o",
            vendor="openai", cost_nano_usd=AMOUNT_NANO_USD,
        )  # fmt: skip
        hold = Hold(store.reservations, watched, event) if reserves else None
        await checker.check(event, now, hold)
        if hold is not None and (hold.answer is None or hold.answer.outcome != "reserved"):
            raise RuntimeError(f"expected a reservation, got {hold.answer}")

    return once


async def _enforced(store: RedisStore) -> None:
    """Counters of a tenant with one enforced staging."""
    staging = Staging(staging=STAGING, policy="marketing-monthly", hash=HASH, stage="enforced", offset=0)
    documents = whole(TENANT, TenantDocument(stagings=(staging,)), 0)
    spent = {slot: {head + KEY: 9_000_000_000 for head in HEADS} for slot in SLOTS}
    await store.apply(HOME, None, Change(Mark("Zk3q_0vWTfK8g9r2-A", 0), tenants=documents, increments=spent))


class _Agent:
    """Grants the lease anew before each turn, as an enforcement agent does twice a second; its heart beats so, too."""

    def __init__(self, store: RedisStore, signer: Signer) -> None:
        self._leases, self._signer, self._last = Leases(store.client), signer, 0

    async def grant(self) -> None:
        beat = await self._leases.beat(HOME, "bench", self._last, 0)
        self._last = beat.number
        lease = Lease(
            tenant=TENANT, staging=STAGING, policy="marketing-monthly", hash=HASH, certificate="crt-7088a416d55dc80e",
            agent="bench", number=beat.number, run_id=beat.run_id, mark=0, fresh_ms=beat.now_ms,
            granted_ms=beat.now_ms, until_ms=beat.now_ms + LEASE_MS,
        )  # fmt: skip
        signed = msgspec.structs.replace(lease, signature=self._signer.sign(signed_lease_bytes(lease)))
        await self._leases.grant(HOME, TENANT, "bench", beat.number, {STAGING: encode_lease(signed)})


if __name__ == "__main__":
    print(json.dumps(reserving()))
