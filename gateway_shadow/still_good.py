"""Whether a key or session that has opened something is still good while that goes on."""

from gateway_shadow.auth import Caller
from gateway_shadow.parts import Parts


async def is_still_good(parts: Parts, caller: Caller) -> bool:
    """Whether the caller's is; while the store is away, as it was."""
    return await parts.looks.is_good(caller)
