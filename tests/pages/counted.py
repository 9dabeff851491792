"""Puts counters into Redis as a worker of the door's topics would have, for the page of budgets."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from spendgate.engine.names import staging_prefix
from spendgate.engine.staging import Staging, TenantDocument
from spendgate.model.partition import partition_of
from tests.door.conftest import Door
from tests.engine.scenes import TENANT
from tests.live.samples import a_day
from window_counters.documents import whole
from window_counters.protocol import Change, Mark, PartitionId
from window_counters.redis_store import RedisStore

Sums = Mapping[str, tuple[int, int]]
"""By counter, what is admitted and recorded, nano-USD."""


def count(house: Door, redis_url: str, stagings: Sequence[tuple[Staging, str, Sums]]) -> None:
    """Stagings with the window of their only rule, as a slot names it, and what its counters hold."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    document = TenantDocument(watermark_ms=now_ms, stagings=tuple(each for each, _, _ in stagings), calls=True)
    topic = house.topics.events
    increments = {
        f"{staging_prefix(TENANT, staging.staging)}0 {window}": {
            f"{which}0 {key}": each[at] for key, each in sums.items() for at, which in enumerate("ar")
        }
        for staging, window, sums in stagings
    }
    change = Change(Mark("a-topic", 7), tenants=whole(TENANT, document, 7), increments=increments)

    async def apply() -> None:
        store = RedisStore(redis_url)
        partition = PartitionId(topic.name, partition_of(TENANT.encode(), topic.partitions))
        assert await store.apply(partition, None, change)
        await store.close()

    with ThreadPoolExecutor(1) as thread:  # a browser's test has a loop in this one
        thread.submit(lambda: asyncio.run(apply())).result()


ZONE = a_day()["timezone"]
"""Whose day is counted."""


def today() -> str:
    """How a slot names today's window."""
    midnight = datetime.now(ZoneInfo(ZONE)).replace(hour=0, minute=0, second=0, microsecond=0)
    return str(int(midnight.timestamp() * 1000))
