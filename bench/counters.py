"""What counters cost in Redis: memory per million identities and cells, and the time of a read and an apply.

``python -m bench.counters [--binary valkey] [--millions 1]`` starts a server of its own on a free port, kills it
at the end, and prints JSON on the last line. Times are medians over ROUNDS batches, in ms: ``wall`` as the
worker waits, ``python`` and ``server`` the CPU of each.
"""

import itertools
import random
from collections.abc import Awaitable

from redis import Redis

from window_counters.protocol import Change, Mark, PartitionId, Read
from window_counters.redis_store import RedisStore

HOME = PartitionId("spend.events", 0)
ROUNDS = 30
BATCHES = (500, 4000)
RULES = 20
HOURS = 25
HELD_PER_HOUR = 20_000
CHUNK = 4000
WIDTHS = {"in slots of 5,000 fields": 5000, "in slots of 20 fields": 20, "in slots of 2 fields": 2}
Figures = dict[str, object]


class Bench:
    """A store on a server of its own, with the mark kept here."""

    def __init__(self, url: str) -> None:
        self.store = RedisStore(url, socket_timeout_s=30)
        self.admin = Redis.from_url(url)
        self.rng = random.Random(7)
        self._offsets = itertools.count()
        self._seen: Mark | None = None

    async def apply(self, change: Change) -> None:
        """Apply on the mark that the last apply left."""
        if not await self.store.apply(HOME, self._seen, change):
            raise RuntimeError("mark: moved by somebody else")
        self._seen = change.mark

    def mark(self) -> Mark:
        """The next mark."""
        return Mark("Zk3q_0vWTfK8g9r2-A", next(self._offsets))

    def empty(self) -> None:
        """A server without keys."""
        self.admin.flushall()
        self._seen = None

    def used_bytes(self) -> int:
        """What the server's data takes."""
        return int(self.admin.info("memory")["used_memory"])

    def server_ms(self) -> float:
        """CPU time of the server so far."""
        cpu = self.admin.info("cpu")
        return 1e3 * (float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"]))

    def identities(self, count: int) -> list[int]:
        """Random identities."""
        return [self.rng.getrandbits(64) for _ in range(count)]


async def identity_bytes(bench: Bench, count: int) -> float:
    """Bytes of one remembered identity, of ``count`` spread over a day."""
    bench.empty()
    before = bench.used_bytes()
    for start in range(0, count, CHUNK):
        hour = 480_000 + 24 * start // count
        identities = {"acme": {hour: bench.identities(min(CHUNK, count - start))}}
        await bench.apply(Change(bench.mark(), identities=identities))
    return (bench.used_bytes() - before) / count


async def cell_bytes(bench: Bench, count: int, width: int) -> float:
    """Bytes of one cell of ``count``, the names of slots and their expiries included."""
    bench.empty()
    before = bench.used_bytes()
    for start in range(0, count, max(width, CHUNK)):
        slots = range(start // width, (min(count, start + max(width, CHUNK)) - 1) // width + 1)
        names = [_slot(n) for n in slots]
        cells = {name: dict.fromkeys(_fields(width), bench.rng.randrange(10**8, 10**12)) for name in names}
        await bench.apply(
            Change(
                bench.mark(),
                increments=cells,
                expiries={"acme": dict.fromkeys(names, 1_767_225_600_000)},
            )
        )
    return (bench.used_bytes() - before) / count


def _slot(number: int) -> str:
    return f"acme staging-01HZX3K7Q {number % RULES} {1_767_225_600_000 + number}"


def _fields(count: int) -> list[str]:
    return [f"{'ar'[n % 2]}0 team-{n % 40:02d} employee-{n // 2:04d}" for n in range(count)]


async def call_times(bench: Bench, events: int) -> Figures:
    """Times of a batch of ``events`` calls: an identity each, and as many cells, in slots of RULES rules."""
    bench.empty()
    for hour in range(HOURS):
        held = {"acme": {hour: bench.identities(HELD_PER_HOUR)}}
        await bench.apply(Change(bench.mark(), identities=held))
    cells = {_slot(n): _fields(events // RULES) for n in range(RULES)}
    document = {"acme": bytes(400)}

    def wanted() -> Read:
        identities = {"acme": (range(HOURS), bench.identities(events))}
        return Read(tenants=["acme"], identities=identities, cells=cells, due={"acme": 0})

    def change() -> Change:
        increments = {
            slot: {name: bench.rng.randrange(10**6, 10**9) for name in names} for slot, names in cells.items()
        }
        identities = {"acme": {HOURS: bench.identities(events)}}
        return Change(bench.mark(), tenants=document, increments=increments, identities=identities)

    async def increments_only() -> Awaitable[None]:
        return bench.apply(Change(bench.mark(), increments=change().increments))

    return {
        "apply": await _timed(bench, [change() for _ in range(ROUNDS)], bench.apply),
        "read": await _timed(bench, [wanted() for _ in range(ROUNDS)], lambda r: bench.store.read(HOME, r)),
    }
