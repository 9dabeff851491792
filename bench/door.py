"""The HTTP door beside apps that do less: events/s a core of server time, and latency at a fixed rate.

``python -m bench.door [--quick]`` prints JSON on the last line. Kafka, Redis, server and load share this machine.
Throughput: CLIENTS requests at once, ROUNDS times in turn, the best of each; *a core* is by the server's own CPU time.
Latency: requests are due at fixed times and measured from when they were due, so a server that stalls is charged for
those that had to wait (no coordinated omission).
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import httpx

from bench.obeying import obeyed_s
from bench.processes import Process, stagings_in_force, wait_for
from bench.ratelimit import VERSION as RATELIMIT
from bench.ratelimit import asking as ratelimit_asking
from bench.ratelimit import ratelimit
from dev import stack as local
from dev.ground import made_topics
from dev.places import home, shared_libs
from dev.ports import free_port
from policy_store import api_keys, policies, stagings, tenants
from policy_store.change import Changes
from policy_store.database import Database
from policy_store.migrate import migrate
from policy_store.signing import Signer, make_key_file
from spendgate.model.policy import Policy

TENANT, CLIENTS, ROUNDS = "bench", 8, 3
STAGED, MATCHING, ROLLING = 100, 10, 3
SIZES = (1, 100, 500)
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """One server under load."""

    name: str
    process: Process
    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def cpu_s(self) -> float:
        """Processor time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def answers(self) -> bool:
        """Whether it does."""
        try:
            return httpx.post(f"{self.url}/v1/check", json={}, headers=self.headers, timeout=5).status_code < 500
        except httpx.TransportError:
            return False


@contextmanager
def servers(folder: Path, stack: local.Stack) -> Iterator[dict[str, Server]]:
    """The door with a worker and all policies staged, and the two apps that do less."""
    topics = made_topics(stack.bootstrap)
    database, signer = Database(f"sqlite:///{folder / 'store.db'}"), make_key_file(folder / "store.pem")
    migrate(database)
    key = _key(Changes(database))
    env = {
        "SPENDGATE_KAFKA": stack.bootstrap, "SPENDGATE_REDIS": stack.redis_url, "SPENDGATE_REPLICATION": "1",
        "SPENDGATE_STORE": f"sqlite:///{folder / 'store.db'}", "SPENDGATE_STORE_KEY_FILE": str(folder / "store.pem"),
        "SPENDGATE_STORE_KEYS": signer.public, "BENCH_EVENTS": topics.rejected.name,
    }  # fmt: skip
    with ExitStack() as exits:
        made: dict[str, Server] = {}
        for name in ("door", "parse_only", "produce_only"):
            port = free_port()
            command = ["-m", "gateway_shadow.app"] if name == "door" else ["-m", "bench.http_peers", name, str(port)]
            process = Process(name, command, {**env, "SPENDGATE_HTTP_PORT": str(port)}, folder / f"{name}.log")
            exits.callback(process.end)
            made[name] = Server(name, process, f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {key}"})
        worker = Process(
            "worker", ["-m", "agents.app", "worker"], {**env, "SPENDGATE_HTTP_PORT": "0"}, folder / "worker.log"
        )
        exits.callback(worker.end)
        running = [*(each.process for each in made.values()), worker]
        wait_for("the servers", lambda: all(each.answers() for each in made.values()), running, 60)
        _stage(Changes(database), signer)
        wait_for("every policy staged", lambda: stagings_in_force(worker) >= STAGED, running, 120)
        wait_for("a first check", lambda: _asked(made["door"])["fault"] is None, running, 60)
        yield made
        database.close()


def _key(changes: Changes) -> str:
    with changes.of(TENANT, "bench") as change:
        tenants.create(change, one_person=True)
        return api_keys.create(change, "bench", "ingest").text


def _stage(changes: Changes, signer: Signer) -> None:
    for number in range(STAGED):
        with changes.of(TENANT, "bench") as change:
            made = policies.create(change, _policy(number), "bench")
            asked = stagings.submit(change, made.name, made.latest.hash, "for the bench")
            stagings.approve(change, asked.id, asked.revision, signer)


def _policy(number: int) -> Policy:
    """The first MATCHING look at the load's team, ROLLING of them over a rolling day; the others at other teams."""
    window: dict[str, Any] = {"rolling": "24h"} if number < ROLLING else {"calendar": "month", "timezone": "UTC"}
    budget = {"cap_usd": "1000", "window": window, "per": ["employee"], "on_breach": "deny", "warn_at_percent": [80]}
    scope = {"team": ["red" if number < MATCHING else f"team-{number}"]}
    return Policy.model_validate(
        {"apiVersion": "spendgate/v1", "kind": "Policy", "metadata": {"name": f"p{number}"},
         "spec": {"scope": scope, "rules": [{"budget": budget}]}}
    )  # fmt: skip


def _asked(door: Server) -> Any:
    return httpx.post(f"{door.url}/v1/check", json=_question(0), headers=door.headers, timeout=10).json()


def _question(number: int) -> dict[str, Any]:
    return {
        "team": "red",
        "employee": f"e{number % 100}",
        "vendor": "openai",
        "model": "gpt-4o",
        "estimate_nano_usd": 5000,
    }


def _asking(number: int) -> bytes:
    return json.dumps(_question(number)).encode()


def _events(count: int, first: int) -> bytes:
    items = [
        {"id": f"b{first + n}", "time": "2026-11-24T10:00:00Z", "source": "bench", "team": "red",
         "employee": f"e{n % 100}", "workflow": "claims", "vendor": "openai", "model": "gpt-4o", "input_tokens": 1200,
         "output_tokens": 350, "cost_nano_usd": 6_500_000}
        for n in range(count)
    ]  # fmt: skip
    return json.dumps(items).encode()


async def throughput(server: Server, path: str, bodies: Sequence[bytes]) -> tuple[float, float]:
    """Seconds and server seconds for all bodies, CLIENTS at once."""
    left = iter(bodies)
    headers = {**server.headers, "Content-Type": "application/json"}

    async def client(session: aiohttp.ClientSession) -> None:
        for body in left:
            async with session.post(server.url + path, data=body, headers=headers) as answer:
                await answer.read()
                if answer.status >= 300:
                    raise RuntimeError(f"{server.name} answered {answer.status}")

    async with aiohttp.ClientSession() as session:
        begun, cpu = time.perf_counter(), server.cpu_s()
        await asyncio.gather(*(client(session) for _ in range(CLIENTS)))
        return time.perf_counter() - begun, server.cpu_s() - cpu


async def latencies(server: Server, path: str, body: Callable[[int], bytes], rate: int, count: int) -> list[float]:
    """Milliseconds from when each request was due to its answer, sorted."""
    headers = {**server.headers, "Content-Type": "application/json"}
    found: list[float] = []

    async def one(session: aiohttp.ClientSession, due: float, number: int) -> None:
        async with session.post(server.url + path, data=body(number), headers=headers) as answer:
            await answer.read()
        found.append((time.perf_counter() - due) * 1000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        begun, tasks = time.perf_counter() + 0.1, []
        for number in range(count):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(session, due, number)))
        await asyncio.gather(*tasks)
    return sorted(found)


def _percentiles(found: Sequence[float]) -> dict[str, float]:
    return {
        f"p{share:g}": round(found[min(len(found) - 1, int(len(found) * share / 100))], 2) for share in (50, 99, 99.9)
    }


def main(arguments: Sequence[str]) -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the load")
    quick = parser.parse_args(arguments).quick
    with tempfile.TemporaryDirectory() as name:
        stack = local.up(Path(name) / "stack", libs=shared_libs())
        try:
            with servers(Path(name), stack) as made:
                figures = asyncio.run(_measured(made, 10 if quick else 1))
            _add_litellm(figures, Path(name), 10 if quick else 1)
            _add_ratelimit(figures, Path(name), stack.redis_url, 10 if quick else 1)
        finally:
            local.down(Path(name) / "stack")
        figures["obeyed_s"] = obeyed_s(Path(name) / "obeys")
    print(json.dumps(figures))


@contextmanager
def litellm(folder: Path) -> Iterator[Server | None]:
    """A LiteLLM proxy with a provider's budget and a mocked model; None until `make test-peers` has installed one."""
    command = home() / "peers" / "litellm" / "bin" / "litellm"
    if not command.exists():
        yield None
        return
    master, port = "sk-" + "0123456789abcdef" * 4, free_port()
    model = {"model": "openai/gpt-4o", "api_key": "none", "mock_response": "ok"}
    config = {
        "model_list": [{"model_name": "gpt-4o", "litellm_params": model}],
        "general_settings": {"master_key": master},
        "router_settings": {"provider_budget_config": {"openai": {"budget_limit": 1e9, "time_period": "1d"}}},
    }
    (folder / "litellm.yaml").write_text(json.dumps(config))
    arguments = ["--config", str(folder / "litellm.yaml"), "--port", str(port), "--host", "127.0.0.1"]
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
    process = Process("litellm", arguments, env, folder / "litellm.log", str(command))
    server = Server("litellm", process, f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {master}"})
    try:
        wait_for("LiteLLM", server.answers, [process], 120)
        yield server
    finally:
        process.end()


async def _measured(made: dict[str, Server], less: int) -> dict[str, Any]:
    per_core = {f"{name}_{size}": 0.0 for name in made for size in SIZES}
    first = 0
    for _ in range(ROUNDS):
        for size in SIZES:
            count = max(20, {1: 4000, 100: 1000, 500: 400}[size] // less)
            for name, server in made.items():
                bodies = [_events(size, first + n * size) for n in range(count)]
                first += count * size
                _, cpu_s = await throughput(server, "/v1/events", bodies)
                per_core[f"{name}_{size}"] = max(per_core[f"{name}_{size}"], count * size / cpu_s)
    checks = await _checks(made, less)
    ingest = {name: round(rate) for name, rate in per_core.items()}
    return {
        "ratios": {
            "ingest_500_vs_parse_only": round(per_core["door_500"] / per_core["parse_only_500"], 3),
            "ingest_500_vs_produce_only": round(per_core["door_500"] / per_core["produce_only_500"], 3),
            "check_vs_bare_endpoint": round(checks["per_s"]["door"] / checks["per_s"]["parse_only"], 3),
            "check_vs_litellm": None,
            "check_vs_ratelimit": None,
        },
        "latency_ms": checks["latency_ms"],
        "events_per_s_a_core": ingest,
        "checks_per_s": checks["per_s"],
        "not_measured": {},
        "versions": {name: version(name) for name in ("fastapi", "uvicorn", "aiokafka", "msgspec")}
        | {"ratelimit": RATELIMIT},
        "python": platform.python_version(), "command": "make bench-http",
    }  # fmt: skip


def _add_litellm(figures: dict[str, Any], folder: Path, less: int) -> None:
    with litellm(folder) as proxy:
        if proxy is None:
            figures["not_measured"]["check_vs_litellm"] = "no LiteLLM here; make test-peers installs one"
            return
        body = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}).encode()
        _add(figures, proxy, "/v1/chat/completions", lambda _: body, _Load(600 // less, 50, 1000 // less))


def _add_ratelimit(figures: dict[str, Any], folder: Path, redis_url: str, less: int) -> None:
    with ratelimit(folder, redis_url, STAGED) as found:
        if found is None:
            figures["not_measured"]["check_vs_ratelimit"] = "no Go here, or its modules are out of reach"
            return
        server = Server("ratelimit", *found)
        _add(figures, server, "/json", partial(ratelimit_asking, MATCHING), _Load(4000 // less, 500, 10_000 // less))


@dataclass(frozen=True, slots=True)
class _Load:
    """``calls`` as fast as it answers, then ``paced`` at ``rate`` a second."""

    calls: int
    rate: int
    paced: int


def _add(figures: dict[str, Any], server: Server, path: str, body: Callable[[int], bytes], load: _Load) -> None:
    """Calls a second of somebody else's check, and their latency at a rate that it keeps up with."""
    per_s = 0.0
    for _ in range(ROUNDS):
        wall_s, _ = asyncio.run(throughput(server, path, [body(number) for number in range(load.calls)]))
        per_s = max(per_s, load.calls / wall_s)
    waited = asyncio.run(latencies(server, path, body, load.rate, load.paced))
    figures["ratios"][f"check_vs_{server.name}"] = round(figures["checks_per_s"]["door"] / per_s, 2)
    figures["checks_per_s"][server.name] = round(per_s)
    figures["latency_ms"][f"{server.name}_{load.rate}_per_s"] = _percentiles(waited)


async def _checks(made: dict[str, Server], less: int) -> dict[str, Any]:
    count = 4000 // less
    per_s = {"door": 0.0, "parse_only": 0.0}
    for _ in range(ROUNDS):
        for name in per_s:
            bodies = [json.dumps(_question(n)).encode() for n in range(count)]
            wall_s, _ = await throughput(made[name], "/v1/check", bodies)
            per_s[name] = max(per_s[name], count / wall_s)
    found = {}
    for name in per_s:
        waited = await latencies(made[name], "/v1/check", _asking, 500, 10_000 // less)
        found[f"{name}_check_500_per_s"] = _percentiles(waited)
    events = iter(range(10**9, 10**10, 100))
    batch = await latencies(made["door"], "/v1/events", lambda _: _events(100, next(events)), 50, 1000 // less)
    return {
        "per_s": {name: round(rate) for name, rate in per_s.items()},
        "latency_ms": {**found, "door_events_100_at_50_per_s": _percentiles(batch)},
    }


if __name__ == "__main__":
    main(sys.argv[1:])
