"""Reviews and certificates run out by the clock: a task of every door, and it does not matter which one does it."""

import asyncio
import logging

from gateway_shadow import metrics
from policy_store import reviews, settling
from policy_store.change import Changes
from policy_store.errors import StoreAway
from policy_store.signing import Signer

log = logging.getLogger(__name__)

EVERY_S, AGAIN_S, TOGETHER = 1.0, 5.0, 200


async def keep_sweeping(changes: Changes, signer: Signer) -> None:
    """Until it is cancelled."""
    while True:
        pause_s = EVERY_S
        try:
            expired = await asyncio.to_thread(reviews.expire_due, changes, TOGETHER)
            metrics.REVIEWS_EXPIRED.inc(expired)
            for each in await asyncio.to_thread(settling.demote_unproven, changes, signer):
                metrics.DEMOTED.inc()
                log.warning("%s of %s is back in shadow: its certificate no longer holds", each.id, each.policy)
            pause_s = 0.0 if expired == TOGETHER else EVERY_S
        except StoreAway as error:
            log.warning("expiry waits: %s", error)
            pause_s = AGAIN_S
        await asyncio.sleep(pause_s)
