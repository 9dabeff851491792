"""The Redis client as workers need it: short time-outs, and nothing is ever sent twice by itself."""

from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Client = Redis | RedisCluster
SOCKET_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 2.0


def connect(url: str, cluster: bool, socket_timeout_s: float, connect_timeout_s: float) -> Client:
    """A client of raw bytes that connects when it is first used.

    ``url`` is ``redis://``, ``rediss://`` (TLS) or ``unix://``; anything else is a ValueError. After a time-out
    a script may have run, so a retry is the caller's: the mark tells.
    """
    settings: dict[str, Any] = {
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    try:
        return RedisCluster.from_url(url, **settings) if cluster else Redis.from_url(url, **settings)
    except ValueError:
        raise ValueError("redis url: expected redis://host:port/db, rediss://host:port/db or unix://path") from None
