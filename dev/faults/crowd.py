"""Callers side by side: each asks, and where it may, makes its call and reports it until the report is taken."""

import asyncio
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

DEAREST_NANO_USD = 20_000_000
PAUSE_S, AGAIN_S, PATIENCE_S = 0.05, 0.5, 15.0


@dataclass
class Crowd:
    """``callers`` of each team. ``spent``: by team, what their calls have cost, in nano-USD; ``asked``: checks."""

    url: str
    key: str
    teams: list[str]
    callers: int
    seed: int
    spent: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    made: int = 0
    unreported: int = 0
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to call, in a thread."""
        self.spent = dict.fromkeys(self.teams, 0)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make no more calls, and wait until all that were made are reported."""
        self._stopping.set()
        self._thread.join(120)

    async def _run(self) -> None:
        headers, patience = {"Authorization": f"Bearer {self.key}"}, aiohttp.ClientTimeout(PATIENCE_S)
        async with aiohttp.ClientSession(self.url, headers=headers, timeout=patience) as session:
            await asyncio.gather(*(self._call(session, team, n) for team in self.teams for n in range(self.callers)))

    async def _call(self, session: aiohttp.ClientSession, team: str, caller: int) -> None:
        chance, number = random.Random(f"{self.seed} {team} {caller}"), 0
        while not self._stopping.is_set():
            number += 1
            name, cost = f"{team}-{caller}-{number}", chance.randint(1, DEAREST_NANO_USD)
            said = await self._asked(session, {"team": team, "estimate_nano_usd": cost, "request_id": name})
            if said.get("allow"):
                self.spent[team] += cost
                self.made += 1
                await self._report(session, team, name, cost, said["check_id"])
            await asyncio.sleep(PAUSE_S)

    async def _asked(self, session: aiohttp.ClientSession, question: dict[str, Any]) -> dict[str, Any]:
        """The answer; a caller that gets none makes no call."""
        self.asked += 1
        try:
            async with session.post("/v1/check", json=question) as answer:
                return dict(await answer.json())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return {}

    async def _report(self, session: aiohttp.ClientSession, team: str, name: str, cost: int, check_id: str) -> None:
        at = datetime.now(UTC).isoformat()
        event = {"id": name, "time": at, "team": team, "cost_nano_usd": cost, "check_id": check_id}
        self.unreported += 1
        while True:
            try:
                async with session.post("/v1/events", json=event) as taken:
                    if taken.status == 202:
                        self.unreported -= 1
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(AGAIN_S)
