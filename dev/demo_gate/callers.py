"""Callers who ask all at once, and who make the call and report it where they may."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

ASKED_FOR_S = 30.0
_AGAIN_S = 0.3


class Call(NamedTuple):
    """What a caller was told; ``code``: why it was denied."""

    allowed: bool
    code: str | None


async def _asked(client: httpx.AsyncClient, question: dict[str, Any]) -> httpx.Response:
    """The answer to a check; where a fault of ours has refused it, it is asked again for a while."""
    end_s = time.monotonic() + ASKED_FOR_S
    while True:
        answer = await client.post("/v1/check", json=question)
        if not answer.json()["not_enforced"] or time.monotonic() > end_s:
            return answer
        await asyncio.sleep(_AGAIN_S)


async def _caller(client: httpx.AsyncClient, number: int, team: str, cost_nano_usd: int) -> Call:
    name = f"caller-{number}"
    answer = await _asked(client, {"team": team, "estimate_nano_usd": cost_nano_usd, "request_id": name})
    said = answer.json()
    if not said["allow"]:
        return Call(False, next((each["code"] for each in said["reasons"] if each["stage"] == "enforced"), None))
    event = {
        "id": name, "time": datetime.now(UTC).isoformat(), "team": team, "cost_nano_usd": cost_nano_usd,
        "check_id": said["check_id"],
    }  # fmt: skip
    (await client.post("/v1/events", json=event)).raise_for_status()
    return Call(True, None)


async def _all(url: str, key: str, callers: int, team: str, cost_nano_usd: int) -> list[Call]:
    limits = httpx.Limits(max_connections=callers)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as client:
        return await asyncio.gather(*(_caller(client, n, team, cost_nano_usd) for n in range(callers)))


def crowd(url: str, key: str, callers: int, team: str, cost_nano_usd: int) -> list[Call]:
    """What each of them was told. Raises httpx.HTTPError."""
    return asyncio.run(_all(url, key, callers, team, cost_nano_usd))
