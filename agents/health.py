"""What a worker knows about itself, and the HTTP server that tells it: liveness, readiness, metrics."""

import logging
import os
import time
from collections.abc import Callable

from aiohttp import web

from agents.exits import Fatal
from spendgate.failure import USAGE
from telemetry.exposition import exposition

HOST = "SPENDGATE_HTTP_HOST"
PORT = "SPENDGATE_HTTP_PORT"
MOST_PORT = 65_535
STALLED_S = 45.0
HOPELESS_S = 75.0
LONG_RETRY_S = 120.0
DEPENDENCIES = ("store", "broker", "policies", "ledger")
"""What a batch may wait for."""

log = logging.getLogger(__name__)


class Health:
    """Facts about one worker. Times are seconds of ``clock``, which is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.joined = False
        self.partitions: frozenset[int] = frozenset()
        self.lag: int | None = None
        self._progressed = clock()
        self._retrying: dict[int, tuple[float, str]] = {}
        self._reachable: dict[str, bool] = {}

    def progress(self) -> None:
        """Something was done, tried again, or found to be nothing to do. A long rebuild calls it as it goes."""
        self._progressed = self.clock()

    def saw(self, dependency: str, *, reachable: bool) -> None:
        """Remember how ``dependency`` (``broker``, ``store``) was last seen by whoever looks after it."""
        self._reachable[dependency] = reachable

    def assigned(self, partitions: frozenset[int]) -> None:
        """The group has given this worker exactly these partitions."""
        self.joined, self.partitions = True, partitions
        self._retrying = {p: retry for p, retry in self._retrying.items() if p in partitions}
        self.progress()

    def retrying(self, partition: int, dependency: str) -> float:
        """Note that ``partition`` waits for ``dependency``; returns for how many seconds it has been waiting."""
        self.progress()
        since, _ = self._retrying.get(partition, (self.clock(), dependency))
        self._retrying[partition] = since, dependency
        return self.clock() - since

    def recovered(self, partition: int) -> None:
        """``partition`` waits for nothing any more."""
        self._retrying.pop(partition, None)
        self.progress()

    def stalled_s(self) -> float:
        """Seconds without progress although there is something to do; 0 if there is not."""
        return self.clock() - self._progressed if self.lag else 0.0

    def waits(self) -> list[tuple[str, float]]:
        """What each partition that waits is waiting for, and for how many seconds."""
        now = self.clock()
        return [(dependency, now - since) for since, dependency in self._retrying.values()]

    def away(self) -> set[str]:
        """What does not answer, as far as is known: seen so, or waited for."""
        away = {name for name, reachable in self._reachable.items() if not reachable}
        return away | {dependency for _, dependency in self._retrying.values()}

    def faults(self) -> list[str]:
        """Why the worker should be restarted; empty if it should not."""
        stalled_s = self.stalled_s()
        return [f"no progress for {stalled_s:.0f} s, lag {self.lag}"] if stalled_s > STALLED_S else []

    def obstacles(self) -> list[str]:
        """Why the worker is not ready; empty if it is."""
        found = [] if self.joined else ["not assigned by the group yet"]
        found += [f"{name} unreachable" for name in sorted(self.away())]
        now = self.clock()
        late = sorted(p for p, (since, _) in self._retrying.items() if now - since > LONG_RETRY_S)
        return found + [f"partition {p} in a long retry" for p in late]


class HealthServer:
    """``/health/live``, ``/health/ready`` and ``/metrics`` on a port of their own. ``told``: sets the metrics that say
    how the process is, before they are read."""

    def __init__(
        self, health: Health, *, host: str, port: int, told: Callable[[Health], None] = lambda _: None
    ) -> None:
        self.health, self.host, self.port = health, host, port
        self.told = told
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; returns the port, which the log names too. Raises OSError if it is taken."""
        site = web.Application()
        site.add_routes(
            [
                web.get("/health/live", self._live),
                web.get("/health/ready", self._ready),
                web.get("/metrics", self._metrics),
            ]
        )
        self._runner = web.AppRunner(site, access_log=None, handle_signals=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        port = int(self._runner.addresses[0][1])
        log.info("http listening on %d", port)
        return port

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _live(self, _: web.Request) -> web.Response:
        return _answer(self.health.faults())

    async def _ready(self, _: web.Request) -> web.Response:
        return _answer(self.health.obstacles())

    async def _metrics(self, request: web.Request) -> web.Response:
        self.told(self.health)
        body, content_type = exposition(request.headers.get("Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})


def _answer(problems: list[str]) -> web.Response:
    status = 503 if problems else 200
    return web.json_response({"status": "failing" if problems else "ok", "reasons": problems}, status=status)


def server_from_env(health: Health, told: Callable[[Health], None] = lambda _: None) -> HealthServer | None:
    """The server that the environment asks for, if it does. Raises Fatal."""
    port = port_from_env()
    return None if port is None else HealthServer(health, host=host_from_env(), port=port, told=told)


def port_from_env() -> int | None:
    """SPENDGATE_HTTP_PORT (0: any free port); None where it says nothing. Raises Fatal."""
    text = os.environ.get(PORT) or None
    if text is not None and not (text.isascii() and text.isdecimal() and int(text[:6]) <= MOST_PORT):
        raise Fatal(f"{PORT}: expected a port", USAGE)
    return None if text is None else int(text)


def host_from_env() -> str:
    """SPENDGATE_HTTP_HOST, or 127.0.0.1."""
    return os.environ.get(HOST) or "127.0.0.1"
