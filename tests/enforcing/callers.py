"""Callers of one process: each asks, and where it may, makes its call and reports it.

``python -m tests.enforcing.callers URL KEY NAME CALLERS CALLS SEED`` prints a JSON array of [check_id, cost in
nano-USD] of the calls that were made."""

import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime
from typing import Any

import aiohttp

TEAM = "crowd"
DEAREST_NANO_USD = 20_000_000
AGAIN_S = 1.0


async def asked(session: aiohttp.ClientSession, question: dict[str, Any]) -> dict[str, Any]:
    """The answer to a check; what a fault has refused is asked again, for a minute."""
    end_s = time.monotonic() + 60
    while True:
        async with session.post("/v1/check", json=question) as answer:
            said: dict[str, Any] = await answer.json()
        if not said["not_enforced"] or time.monotonic() > end_s:
            return said
        await asyncio.sleep(AGAIN_S)


async def caller(session: aiohttp.ClientSession, name: str, calls: int, chance: random.Random) -> list[tuple[str, int]]:
    """One caller's calls; those that were allowed."""
    made = []
    for number in range(calls):
        cost = chance.randint(1, DEAREST_NANO_USD)
        said = await asked(session, {"team": TEAM, "estimate_nano_usd": cost, "request_id": f"{name}-{number}"})
        if said["allow"]:
            made.append((said["check_id"], cost))
            event = {
                "id": f"{name}-{number}", "time": datetime.now(UTC).isoformat(), "team": TEAM, "cost_nano_usd": cost,
                "check_id": said["check_id"],
            }  # fmt: skip
            async with session.post("/v1/events", json=event) as taken:
                taken.raise_for_status()
    return made


async def main(url: str, key: str, name: str, callers: int, calls: int, seed: int) -> list[tuple[str, int]]:
    """All of them, side by side."""
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers, timeout=aiohttp.ClientTimeout(60)) as session:
        found = await asyncio.gather(
            *(caller(session, f"{name}-{n}", calls, random.Random(f"{seed} {name} {n}")) for n in range(callers))
        )
    return [each for one in found for each in one]


if __name__ == "__main__":
    url, key, name, *numbers = sys.argv[1:]
    print(json.dumps(asyncio.run(main(url, key, name, *map(int, numbers)))))  # noqa: T201
