"""Whether a Redis may be trusted with counters: one that evicts loses money without a word."""

from redis.asyncio import RedisCluster
from redis.exceptions import ResponseError

from window_counters.client import Client
from window_counters.protocol import StoreUnfit

_SETTING = "maxmemory-policy"
_WANTED = "noeviction"


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


async def _policy(client: Client, target: dict[str, object]) -> str | None:
    """The eviction policy of one node; None if the node tells it neither way."""
    try:
        reply = await client.execute_command("CONFIG GET", _SETTING, **target)
    except ResponseError:  # hosted servers forbid CONFIG, or rename it
        reply = None
    if not reply:
        reply = await client.execute_command("INFO", "memory", **target)
    named = {_text(name).replace("_", "-"): _text(value) for name, value in dict(reply).items()}
    return named.get(_SETTING)


async def require_no_eviction(client: Client) -> None:
    """Raise StoreUnfit unless every node that holds keys says ``noeviction``."""
    targets: list[dict[str, object]] = [{}]
    if isinstance(client, RedisCluster):
        await client.initialize()
        targets = [{"target_nodes": node} for node in client.get_primaries()]
    for target in targets:
        if await _policy(client, target) != _WANTED:
            raise StoreUnfit(
                f"redis {_SETTING}: expected {_WANTED}, for evicted counters are lost silently; "
                f"set it with: redis-cli CONFIG SET {_SETTING} {_WANTED}"
            )
