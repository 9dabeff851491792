"""Redis loses what it held, does not answer, answers late, is set back, or has no memory left."""

from dev.faults.arena import Arena
from dev.faults.fault import Fault, lasting

AWAY_S, SLOW_S = 8.0, 0.05


def _flush(arena: Arena) -> None:
    arena.system.start()
    arena.send(0.2)
    arena.settle()
    with arena.client() as redis:
        for _ in range(3):
            arena.send(0.15)
            redis.flushall()
            redis.script_flush()
            arena.sleep(0.5)
    arena.recover()
    arena.send()
    arena.settle()


def _kill(arena: Arena) -> None:
    """It comes back with the snapshot that it made a moment before."""
    with arena.client() as redis:
        redis.save()
    arena.send(0.05, wait=True)
    arena.servers.redis.kill()


def _start(arena: Arena) -> None:
    arena.servers.redis.start()
    arena.servers.redis.wait_ready(60)


def _old_snapshot(arena: Arena) -> None:
    arena.system.start()
    arena.send(0.2)
    arena.settle()
    with arena.client() as redis:
        kept = {key: value for key in redis.scan_iter(count=10_000) if (value := redis.dump(key)) is not None}
        arena.send(0.3)
        arena.settle()
        arena.send(0.1)
        with redis.pipeline(transaction=True) as together:
            together.flushall()
            for key, value in kept.items():
                together.restore(key, 0, value)
            together.execute()
    arena.recover()
    arena.send()
    arena.settle()


def _fill(arena: Arena) -> None:
    with arena.client() as redis:
        redis.config_set("maxmemory", 1_000_000)


def _free(arena: Arena) -> None:
    with arena.client() as redis:
        redis.config_set("maxmemory", 0)


def _slow(arena: Arena) -> None:
    arena.servers.proxy.delay_s = SLOW_S


def _fast(arena: Arena) -> None:
    arena.servers.proxy.delay_s = 0.0


LOSSES = (
    Fault("redis_flush", "Redis flushed three times, its scripts too", _flush),
    Fault("redis_restart", "Redis killed, back with a snapshot a moment old", lasting(_kill, _start, AWAY_S)),
    Fault(
        "redis_stall", "Redis accepts and does not answer",
        lasting(lambda arena: arena.servers.redis.pause(), lambda arena: arena.servers.redis.resume(), AWAY_S),
    ),
    Fault("redis_slow", "Redis answers 100 ms late", lasting(_slow, _fast, AWAY_S), slow_line=True),
    Fault("redis_old_snapshot", "Redis set back to an old snapshot", _old_snapshot),
    Fault("redis_out_of_memory", "Redis refuses writes: out of memory", lasting(_fill, _free, AWAY_S)),
)  # fmt: skip
