"""Whether the policy store, Redis and Kafka answer, looked at on and on: pages say so, also where they read none."""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from gateway_shadow.checks.checking import Checker
from gateway_shadow.log_writer import LogWriter
from gateway_shadow.outages import Outages, StoreName
from policy_store.database import Database
from policy_store.errors import StoreAway
from window_counters.protocol import StoreUnavailable, StoreUnfit

EVERY_S, AGAIN_S, WITHIN_S = 2.0, 5.0, 5.0
Look = Callable[[], Awaitable[None]]


async def keep_looking(outages: Outages, database: Database, writer: LogWriter, checker: Checker | None) -> None:
    """Until it is cancelled; a door without Redis is asked for none."""
    looks: dict[StoreName, Look] = {
        "policies": lambda: asyncio.to_thread(database.look), "kafka": writer.require_answer,
    }  # fmt: skip
    if checker is not None:
        looks["redis"] = checker.store.check_fit
    await asyncio.gather(*(_keep_asking(outages, name, look) for name, look in looks.items()))


async def _keep_asking(outages: Outages, name: StoreName, look: Look) -> None:
    while True:
        pause_s = EVERY_S
        try:
            async with asyncio.timeout(WITHIN_S):
                await look()
            outages.answers(name)
        except (StoreAway, KafkaError, StoreUnavailable, StoreUnfit, OSError, TimeoutError):
            outages.away(name)
            pause_s = AGAIN_S
        await asyncio.sleep(pause_s)
