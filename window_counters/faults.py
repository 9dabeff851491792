"""What a Redis fault means to a worker: wait and go back to the read, or stop and have somebody look."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from redis import exceptions as redis_errors

from window_counters.protocol import StoreUnavailable, StoreUnfit

_REFUSED = (
    redis_errors.AuthenticationError,
    redis_errors.AuthenticationWrongNumberOfArgsError,
    redis_errors.AuthorizationError,
    redis_errors.NoPermissionError,
)
NO_INTEGER = "redis holds a counter that is no integer: somebody else wrote to it"
_UNFIT = {
    "can't run this command": "redis refused access: the user may not run a command that the scripts need",
    "has no permissions": "redis refused access: the user may not run a command that the scripts need",
    "can't access at least one": "redis refused access: the user may not use keys that start with 'sg:'",
    "wrongtype": "redis holds a key of another kind under a name of ours: somebody else wrote to it",
    "not an integer": NO_INTEGER,
    "unknown command": "redis lacks a command that the scripts need: expected Redis 6.2 or Valkey, or newer",
    "unknown redis command": "redis lacks a command that the scripts need: expected Redis 6.2 or Valkey, or newer",
    "cluster mode is not enabled": "redis is no cluster: expected a client without cluster mode",
}


def _overflowed(fault: Exception) -> bool:
    return "would overflow" in str(fault)


def _why_unfit(fault: Exception) -> str | None:
    if isinstance(fault, _REFUSED):
        return "redis refused access: check the user, the password and the user's ACL"
    if isinstance(fault, redis_errors.MovedError):
        return "redis is a cluster of several nodes: expected a cluster client"
    if not isinstance(fault, redis_errors.ResponseError | redis_errors.RedisClusterException):
        return None
    text = str(fault).lower()
    return next((why for sign, why in _UNFIT.items() if sign in text), None)


def _summary(fault: Exception) -> str:
    """A connection's fault in its own words (host and port); of an answer its code alone, for it may quote keys."""
    if isinstance(fault, redis_errors.ResponseError):
        return f"redis answered {type(fault).__name__}"
    return f"redis did not answer: {fault or type(fault).__name__}"


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


@contextmanager
def translated() -> Iterator[None]:
    """Raise StoreUnfit, OverflowError or StoreUnavailable for whatever Redis raises, the original chained.

    A cancellation is raised even where it was lost on the way: redis-py sends within ``asyncio.wait_for``, which
    before Python 3.12 swallows one that arrives just as the send is done (python/cpython#86296), and a worker
    would go on with a partition that was taken from it.
    """
    before = _cancellations()
    try:
        yield
    except (redis_errors.RedisError, redis_errors.RedisClusterException, OSError) as fault:
        if _cancellations() == before:
            raise _told(fault) from fault
    if _cancellations() != before:
        raise asyncio.CancelledError


def _told(fault: Exception) -> Exception:
    if _overflowed(fault):
        return OverflowError("cell: the sum is no signed 64-bit integer")
    if why := _why_unfit(fault):
        return StoreUnfit(why)
    return StoreUnavailable(_summary(fault))
