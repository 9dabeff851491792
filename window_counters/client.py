"""The Redis client as workers need it: short time-outs, and nothing is ever sent twice by itself."""

from typing import Any

from hiredis import pack_command
from redis.asyncio import Connection, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

Client = Redis | RedisCluster
SOCKET_TIMEOUT_S = 3.0
CONNECT_TIMEOUT_S = 2.0


class _Connection(Connection):
    """redis-py's; scripts, whose arguments are many, are packed by hiredis, in a tenth of the time."""

    def pack_command(self, *args: Any) -> list[bytes]:
        """See Connection."""
        return [pack_command(args)] if args[0] == "EVALSHA" else super().pack_command(*args)


def connect(url: str, cluster: bool, socket_timeout_s: float | None, connect_timeout_s: float) -> Client:
    """A client of raw bytes that connects when it is first used.

    ``url`` is ``redis://``, ``rediss://`` (TLS) or ``unix://``; anything else is a ValueError. After a time-out
    a script may have run, so a retry is the caller's: the mark tells. ``socket_timeout_s``: None leaves it to the
    caller to wait no longer than it wants, for a timer at every command is a third of what redis-py costs.
    """
    settings: dict[str, Any] = {
        "socket_timeout": socket_timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
    }
    try:
        return (
            RedisCluster.from_url(url, **settings)
            if cluster
            else Redis.from_url(url, connection_class=_Connection, **settings)  # TLS and sockets have their own
        )
    except ValueError:
        raise ValueError("redis url: expected redis://host:port/db, rediss://host:port/db or unix://path") from None
