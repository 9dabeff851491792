"""All processes of Spendgate under load, and a real Prometheus that scrapes them by the rules of this repository."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.kafka_process import KafkaProcess
from dev.ports import free_port
from dev.redis_process import RedisProcess
from dev.trial.workers import Worker
from tests.door.conftest import TENANT
from tests.enforcing.scene import Scene
from tests.enforcing.test_flip import DOLLAR, capped
from tests.live.samples import budget, call, policy
from tests.live.waiting import until
from tests.live.world import World

ROOT = Path(__file__).resolve().parents[1]
EVERY = "5s"
RANGES = {"5m": "60s", "15m": "60s", "1h": "120s"}
"""Ranges of the rules, and what they are here: nobody waits an hour for an alert to go out."""
CONSTANTS = {"< 3600": "< 120", "< 86400": "< 1e10"}
"""Instants of the rules, and what they are here: a demotion is told of for two minutes, a certificate always."""
INTERVAL = "60s"
"""What Grafana would put in the place of $__rate_interval."""
BURN = policy("burn", budget("60", {"calendar": "year"}, ["team"], warn_at_percent=[50], on_breach="warn"))
LOOK = policy(
    "look", {"review": {"when": {"cost_usd_over": "0.015"}, "reviewers": "ml-leads", "expires": "72h"}}
)  # fmt: skip


def scaled(rules: str) -> str:
    """Rules whose times are short."""
    for long, short in RANGES.items():
        rules = rules.replace(f"[{long}]", f"[{short}]")
    for long, short in CONSTANTS.items():
        rules = rules.replace(long, short)
    return re.sub(r"for: \d+m", "for: 1s", rules)


@dataclass
class Prometheus:
    """A server on a port of its own. ``targets``: by job, ports of this machine."""

    folder: Path
    targets: Mapping[str, list[int]]
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, verify=False))

    def start(self) -> None:
        """Start it, and return once it answers; skips where there is none."""
        binary = shutil.which("prometheus")
        if binary is None:
            pytest.skip("no prometheus on the PATH; in Debian: apt-get install prometheus")
        for each in sorted((ROOT / "prometheus" / "rules").glob("*.yml")):
            (self.folder / each.name).write_text(scaled(each.read_text()))
        (self.folder / "prometheus.yml").write_text(json.dumps(self._config()))
        log = (self.folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [binary, "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--enable-feature=exemplar-storage",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            cwd=self.folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        until(self._is_ready, "Prometheus to answer", 60, lambda: (self.folder / "prometheus.log").read_text()[-2000:])

    def _config(self) -> dict[str, Any]:
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}]}
            for job, ports in self.targets.items()
        ]
        every = {"scrape_interval": EVERY, "evaluation_interval": EVERY, "scrape_timeout": EVERY}
        labels = {"spendgate_docs": "http://docs.example"}
        return {"global": {**every, "external_labels": labels}, "rule_files": ["*ing.yml", "alerts.yml"],
                "scrape_configs": jobs}  # fmt: skip

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, **said: Any) -> Any:
        """The data of an answer; a query that is an error fails the test."""
        answer = self.client.get(f"{self.url}/api/v1/{path}", params=said).json()
        assert answer["status"] == "success", (said, answer)
        return answer["data"]

    def query(self, expr: str) -> list[Any]:
        """The series of an instant query that have a number, which is one."""
        found = self.ask("query", query=expr)["result"]
        return [each for each in found if each["value"][1] != "NaN"]

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire, by name."""
        return {each["labels"]["alertname"]: each for each in self.ask("alerts")["alerts"] if each["state"] == "firing"}

    def stop(self) -> None:
        """End it."""
        self.client.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@dataclass
class Load:
    """Calls and checks in a thread, several a second, until it is closed. ``spends``: whether calls are made."""

    scene: Scene
    spends: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    made: int = 0

    def begin(self) -> None:
        """Begin."""
        self.spends.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self.scene.door.as_("ingest", "load") as client:
            while not self.stopping.wait(0.3):
                try:
                    self._once(client)
                except httpx.HTTPError:
                    continue  # something is away, as a test wants it

    def _once(self, client: httpx.Client) -> None:
        client.post("/v1/check", json={"team": "red", "estimate_nano_usd": 1})
        if self.spends.is_set():
            self.made += 1
            # What is enforced denies red's; a call that is only to be reviewed is of another team.
            team, cost = ("blue", DOLLAR // 50) if self.made % 10 == 0 else ("red", DOLLAR // 100)
            event = call(TENANT, f"load-{self.made}", datetime.now(UTC), cost)
            body = {"id": event.id, "source": "load", "time": event.time.isoformat(), "team": team, "model": "gpt",
                    "vendor": "openai", "cost_nano_usd": cost}  # fmt: skip
            client.post("/v1/events", json=body)

    def close(self) -> None:
        """End."""
        self.stopping.set()
        self._thread.join(60)


@dataclass
class Watched:
    """A scene with every process, on servers of its own."""

    scene: Scene
    redis: RedisProcess
    kafka: KafkaProcess
    prometheus: Prometheus
    load: Load
    recorder: Worker
    staging: str

    def all_fires(self, *names: str, deadline_s: float = 300) -> dict[str, dict[str, Any]]:
        """Wait until these have fired, not necessarily at once; each as it fired."""
        seen: dict[str, dict[str, Any]] = {}

        def fired() -> bool:
            seen.update({k: v for k, v in self.prometheus.firing().items() if k in names})
            return set(names) <= seen.keys()

        until(fired, f"{names} to fire", deadline_s, lambda: f"{seen.keys()} {self.scene.logs()[-3000:]}")
        return seen

    def all_out(self, *names: str, deadline_s: float = 300) -> None:
        """Wait until none of these fires."""
        until(lambda: not set(names) & self.prometheus.firing().keys(), f"{names} to go out", deadline_s,
              lambda: str(list(self.prometheus.firing())))  # fmt: skip


def begin(folder: Path, redis: RedisProcess, kafka: KafkaProcess) -> Iterator[Watched]:
    """Everything, running; ended afterwards."""
    world = World(kafka.bootstrap, redis.url, folder)
    scene = Scene(world, folder)
    ports = {name: free_port() for name in ("worker", "events", "decisions", "enforcement", "reconciliation")}
    prometheus = Prometheus(folder, {
        "spendgate-door": [scene.door.port], "spendgate-worker": [ports["worker"]],
        "spendgate-ledger": [ports["events"], ports["decisions"]], "spendgate-enforcement": [ports["enforcement"]],
        "spendgate-reconciliation": [ports["reconciliation"]],
    })  # fmt: skip
    load = Load(scene)
    try:
        world.worker(SPENDGATE_HTTP_PORT=str(ports["worker"]))
        scene.agent(SPENDGATE_HTTP_PORT=str(ports["enforcement"]))
        world.recorder("ledger-events", SPENDGATE_HTTP_PORT=str(ports["events"]))
        recorder = world.recorder("ledger-decisions", SPENDGATE_HTTP_PORT=str(ports["decisions"]))
        for name in ("worker", "events", "decisions", "enforcement"):
            until(partial(is_ready, ports[name]), f"{name} to be ready", 400, scene.logs)
        prometheus.start()
        for watched in (BURN, LOOK):
            scene.staged(watched)
        staging = scene.enforced(capped("1"))
        world.send([call(TENANT, "first", datetime.now(UTC), 31 * DOLLAR)])
        load.begin()
        _reconciler(scene, ports["reconciliation"])
        held = 'spendgate_enforcement_changes_total{kind="granted"} > 0'
        until(
            lambda: prometheus.query(held), "the lease to be scraped, for what it was before is what a loss goes by", 60
        )
        yield Watched(scene, redis, kafka, prometheus, load, recorder, staging)
    finally:
        if load.spends.is_set() or load.made:
            load.close()
        prometheus.stop()
        scene.close()
        world.close()


def is_ready(port: int) -> bool:
    """Whether the agent at a port is."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def _reconciler(scene: Scene, port: int) -> None:
    environment = {
        **scene.world.environment(), "SPENDGATE_STORE": scene.door.store_url, "SPENDGATE_HTTP_PORT": str(port),
        "SPENDGATE_STORE_KEY_FILE": str(scene.folder / "store.pem"), "SPENDGATE_RECONCILE_S": "5",
        "SPENDGATE_RECONCILE_COUNTERS_S": "2",
    }  # fmt: skip
    scene.agents.append(Worker.start(scene.folder / "reconciler.log", environment, "reconciliation"))


def questions() -> Iterator[tuple[str, str]]:
    """Every query of the dashboards, with where it stands: panels, annotations and variables."""
    for file in sorted((ROOT / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(file.read_text())
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}/{panel['title']}/{target['refId']}", filled(target["expr"])
        for mark in board["annotations"]["list"]:
            yield f"{file.stem}/{mark['name']}", filled(mark["expr"])
        for variable in board["templating"]["list"]:
            if found := re.fullmatch(r"label_values\((.*), (\w+)\)", str(variable.get("query"))):
                yield f"{file.stem}/{variable['name']}", f"count by ({found[2]}) ({filled(found[1])})"


def filled(expr: str) -> str:
    """A query as Grafana asks it where all is chosen."""
    chosen = {"$__rate_interval": INTERVAL, "[1h]": "[10m]", "$tenant": ".*", "$policy": ".*"}
    for name, value in chosen.items():
        expr = expr.replace(name, value)
    return scaled(expr)


def metrics_in(exprs: Iterable[str]) -> set[str]:
    """The names of metrics that queries mention."""
    return {name for expr in exprs for name in re.findall(r"\bspendgate[_:][a-z0-9_:]+", expr)} - {"spendgate_docs"}
