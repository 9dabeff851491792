"""Whether a key or session that has opened something is still good while that goes on."""

from fastapi.concurrency import run_in_threadpool

from gateway_shadow.auth import Caller, holds
from gateway_shadow.parts import Parts
from policy_store.errors import StoreAway


async def is_still_good(parts: Parts, caller: Caller) -> bool:
    """Whether the caller's is; while the store is away, as it was."""

    def is_good() -> bool:
        with parts.database.read() as connection:
            return holds(connection, caller, parts.changes.now_ms())

    try:
        return await run_in_threadpool(is_good)
    except StoreAway:
        return True
