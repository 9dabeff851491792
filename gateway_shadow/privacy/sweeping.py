"""Content whose time is over is deleted, and nonces that are too old: a task of every door, whichever does it."""

import asyncio
import logging

from content_store.store import ContentStore
from gateway_shadow import metrics
from policy_store import gateway_keys, privacy, tenant_secrets
from policy_store.change import Changes
from policy_store.errors import StoreAway

log = logging.getLogger(__name__)

EVERY_S, DAY_MS = 60.0, 86_400_000


async def keep_sweeping(changes: Changes, contents: ContentStore | None) -> None:
    """Until it is cancelled."""
    while True:
        try:
            await asyncio.to_thread(forget_nonces, changes)
            if contents is not None:
                metrics.CONTENTS_SWEPT.inc(await asyncio.to_thread(sweep, changes, contents))
        except StoreAway as error:
            log.warning("sweeping waits: %s", error)
        await asyncio.sleep(EVERY_S)


def sweep(changes: Changes, contents: ContentStore) -> int:
    """Delete what is past its tenant's retention now; of how many calls. One tenant's fault is never another's.

    Raises StoreAway for the content store.
    """
    swept = 0
    for tenant in contents.tenants():
        try:
            with changes.database.read() as connection:
                settings = privacy.get(connection, tenant).settings
                keys = [each.id for each in tenant_secrets.listed(connection, tenant)]
        except StoreAway as error:
            log.warning("tenant %s: its content is not swept now: %s", tenant, error)
            continue
        swept += contents.sweep(tenant, changes.now_ms(), settings.retention_days * DAY_MS, keys)
    return swept


def forget_nonces(changes: Changes) -> int:
    """Delete the nonces of bodies that are too old in any case; how many. Raises StoreAway."""
    with changes.database.begin() as connection:
        return gateway_keys.forget(connection, changes.now_ms())
