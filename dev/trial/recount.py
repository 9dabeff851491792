"""A count that knows nothing of the engine: one sum over the log, by plain arithmetic."""

import json
from collections.abc import Sequence

from redis import Redis

from agents.delivery import Message
from window_counters.keys import keys_of
from window_counters.protocol import PartitionId


def total_in_log(log: Sequence[Message], tenant: str) -> int:
    """What all calls of a tenant cost together, each counted once, in nano-USD."""
    seen: dict[tuple[str, str], int] = {}
    for message in log:
        if message.key != tenant.encode() or not message.value:
            continue
        found = json.loads(message.value)
        for event in found if isinstance(found, list) else [found]:
            if event.get("kind", "call") == "call":
                seen.setdefault((event["source"], event["id"]), event.get("cost_nano_usd", 0))
    return sum(seen.values())


def total_recorded(redis_url: str, id_: PartitionId, tenant: str, staging: str, rule: int) -> int:
    """The sum over all windows and keys of what a budget has recorded, in nano-USD."""
    prefix = keys_of(id_).slot(f"{tenant} {staging} {rule} ")
    with Redis.from_url(redis_url) as client:
        slots = [client.hgetall(key) for key in client.scan_iter(match=prefix + b"*", count=10_000)]
    return sum(int(value) for cells in slots for name, value in cells.items() if name.startswith(b"r"))
